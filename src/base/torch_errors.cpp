#include "base/torch_errors.h"

namespace sdgen {

bool is_out_of_memory(const c10::Error& error) {
  // The CPU allocator reports through a plain check.
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string(error.what_without_backtrace()).find("allocate memory") != std::string::npos;
}

void fail_from_torch(const std::string& what, bool out_of_memory) {
  const std::string line = what.substr(0, what.find('\n'));
  if (out_of_memory)
    fail_working("out of memory", line.empty() ? "" : ": ", line,
                 "; draw smaller pictures, a smaller --batch-size, or with --dtype bfloat16");
  fail_working("computation failed: ", line);
}

}  // namespace sdgen
