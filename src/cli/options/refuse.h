// What the user asked for cannot be done.
#pragma once

#include <string>

#include "sdgen/error.h"

namespace sdgen::cli {

// Throws Error(kRequest).
[[noreturn]] inline void refuse(const std::string& message) {
  throw Error(ErrorKind::kRequest, message);
}

}  // namespace sdgen::cli
