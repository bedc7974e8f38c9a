#include "cli/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

namespace sdgen::cli {
namespace {

constexpr int kInterrupts[] = {SIGINT, SIGTERM, SIGHUP};  // SIGHUP: the terminal was closed

// Its line end first: on a terminal a bar and "^C" stand on the line.
constexpr std::string_view kAnswer = "\nsd-gen: stopping; Ctrl-C again stops at once\n";
constexpr std::string_view kPlainAnswer = kAnswer.substr(1);

volatile std::sig_atomic_t signal_seen = 0;
volatile std::sig_atomic_t is_answered = 0;
volatile std::sig_atomic_t is_on_terminal = 0;

// From a signal's handler: nothing that allocates or locks.
void on_signal(int number) {
  signal_seen = 1;
  for (const int each : kInterrupts) std::signal(each, SIG_DFL);
  const int error = errno;
  const std::string_view answer = is_on_terminal != 0 ? kAnswer : kPlainAnswer;
  if (is_answered != 0 && number == SIGINT && ::write(STDERR_FILENO, answer.data(), answer.size()) < 0)
    errno = error;  // nobody reads it
}

void watch(int number) {
  struct sigaction action = {};
  // What the parent has us ignore stays ignored: nohup's SIGHUP, a background job's SIGINT.
  if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a file half read or written goes on
  sigaction(number, &action, nullptr);
}

}  // namespace

void watch_interrupts(bool tells) {
  is_answered = tells ? 1 : 0;
  is_on_terminal = isatty(STDERR_FILENO);
  for (const int number : kInterrupts) watch(number);
}

bool interrupted() {
  return signal_seen != 0;
}

}  // namespace sdgen::cli
