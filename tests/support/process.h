// Runs a program as a user would and keeps what it printed.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace sdgen::testing {

struct ProcessResult {
  int exit_code = -1;  // 128 + signal where a signal ended it
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string input{};                     // standard input
  std::string folder{};                    // working directory; empty: the caller's
  std::vector<std::string> environment{};  // NAME=value, added
  // Called whenever output arrived; true sends SIGINT (once).
  std::function<bool(const ProcessResult& so_far)> interrupt_when{};
};

ProcessResult run_process(const std::vector<std::string>& command, const ProcessOptions& options = {});

}  // namespace sdgen::testing
