// Files that were cut short while they were mapped; see sdgen/mapped_files.h.
#pragma once

namespace sdgen {

// Throws Error(kInput) naming the first file that was found cut short, if there is one. What has been read
// since may be zeros: to be asked before a result is handed out.
void fail_if_cut_short();

}  // namespace sdgen
