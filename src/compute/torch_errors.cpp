#include "compute/torch_errors.h"

namespace sdgen {

bool is_out_of_memory(const c10::Error& error) {
  // The CPU allocator reports through a plain check.
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string(error.what_without_backtrace()).find("allocate memory") != std::string::npos;
}

namespace {

// "[enforce fail at ...] ... you tried to allocate 64 bytes. Error code 12 (...)": the part that is for
// users.
std::string plain_line(const std::string& line) {
  const std::string known = "you tried to allocate ";
  const std::size_t begin = line.find(known), end = line.find(" bytes", begin);
  if (begin == std::string::npos || end == std::string::npos) return line;
  return line.substr(begin + known.size(), end - begin - known.size()) + " bytes could not be had";
}

}  // namespace

void fail_from_torch(const std::string& what, bool out_of_memory) {
  const std::string line = plain_line(what.substr(0, what.find('\n')));
  if (out_of_memory)
    fail_working("out of memory", line.empty() ? "" : ": ", line,
                 "; draw smaller pictures, a smaller --batch-size, or with --dtype bfloat16");
  fail_working("computation failed: ", line);
}

}  // namespace sdgen
