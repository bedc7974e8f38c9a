#include "cli/interrupt.h"

#include <csignal>

namespace sdgen::cli {
namespace {

volatile std::sig_atomic_t signal_seen = 0;

void on_signal(int) {
  signal_seen = 1;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void watch(int number) {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a file half read or written goes on
  sigaction(number, &action, nullptr);
}

}  // namespace

void watch_interrupts() {
  watch(SIGINT);
  watch(SIGTERM);
}

bool interrupted() {
  return signal_seen != 0;
}

}  // namespace sdgen::cli
