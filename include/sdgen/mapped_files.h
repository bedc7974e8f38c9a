// What happens to the process when a model's file is cut short while it is being read.
#pragma once

namespace sdgen {

// Weights are read through mappings of their files: where a file is cut short meanwhile, or its disk fails,
// the system sends SIGBUS, which ends the process. From now on SIGBUS of a file's mapping becomes
// Error(kInput) naming the file, of the function of this library that was at work and of every later one; any
// other SIGBUS has its usual effect. A handler belongs to the process: call this from a program's main(),
// once, if it has no handler of its own.
void survive_cut_files();

}  // namespace sdgen
