// One-line errors put together from their parts: fail_input(path, ": tensor ", key, ": expected ", shape).
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "sdgen/error.h"

namespace sdgen {

template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <typename... Parts>
[[noreturn]] void fail_working(const Parts&... parts) {
  throw Error(ErrorKind::kWorking, concat(parts...));
}

template <typename... Parts>
[[noreturn]] void fail_request(const Parts&... parts) {
  throw Error(ErrorKind::kRequest, concat(parts...));
}

template <typename... Parts>
[[noreturn]] void fail_input(const Parts&... parts) {
  throw Error(ErrorKind::kInput, concat(parts...));
}

// "a, b, c"
std::string join(const std::vector<std::string>& words, const std::string& separator = ", ");

// "unknown sampler 'dim'; did you mean ddim? known: ddim, ddpm": the nearest known name is offered when it is
// within a third of the word's length (Levenshtein distance).
std::string unknown_name(const std::string& what, const std::string& name,
                         const std::vector<std::string>& known);

}  // namespace sdgen
