// Unfinished files and folders have names with the process id of their maker, so that what a killed process
// left behind can be told and removed.
#pragma once

#include <filesystem>
#include <string>

namespace sdgen {

// A name that this process has not asked for before, ".sd-gen-PROCESS-NUMBER.tmp".
std::string unfinished_name();

// Marks an open file or folder as being worked on, until `fd` and its duplicates are closed: also for other
// machines and containers, whose process ids say nothing here.
void mark_in_work(int fd);

// Removes what of `type` is unfinished in `folder` and will stay so: by its name, ours, no link, of a process
// that has ended (or of this one, which may have been given the id of one that was killed), and in work
// nowhere. Where the file system cannot tell, it stays. Looks once per folder: it may hold very many files.
void sweep_leftovers(const std::filesystem::path& folder, std::filesystem::file_type type);

}  // namespace sdgen
