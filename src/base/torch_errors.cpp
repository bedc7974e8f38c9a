#include "base/torch_errors.h"

namespace sdgen {

void fail_from_torch(const std::string& what, bool out_of_memory) {
  const std::string line = what.substr(0, what.find('\n'));
  // The CPU allocator reports through a plain check.
  if (out_of_memory || line.find("allocate memory") != std::string::npos)
    fail_working("out of memory", line.empty() ? "" : ": ", line,
                 "; draw smaller pictures, a smaller --batch-size, or with --dtype bfloat16");
  fail_working("computation failed: ", line);
}

}  // namespace sdgen
