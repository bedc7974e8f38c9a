#include "cli/interrupt.h"

#include <csignal>

namespace sdgen::cli {
namespace {

constexpr int kInterrupts[] = {SIGINT, SIGTERM, SIGHUP};  // SIGHUP: the terminal was closed

volatile std::sig_atomic_t signal_seen = 0;

void on_signal(int) {
  signal_seen = 1;
  for (const int number : kInterrupts) std::signal(number, SIG_DFL);
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

void watch_interrupts() {
  for (const int number : kInterrupts) watch(number);
}

bool interrupted() {
  return signal_seen != 0;
}

}  // namespace sdgen::cli
