// The one error type of the library. The library never prints, logs or exits.
#pragma once

#include <stdexcept>
#include <string>

namespace sdgen {

// Who can mend it; the values are the program's exit codes.
enum class ErrorKind {
  kWorking = 1,  // failed while working: device, memory, disk, a picture that is not finite
  kRequest = 2,  // the command line or a request is wrong
  kInput = 3,    // a model or input file is missing, damaged or of an unknown kind
};

// what() is one line: where, what, expected, got, remedy.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace sdgen
