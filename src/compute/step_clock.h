// How long each of many steps takes, without letting a GPU run dry between them.
#pragma once

#include <c10/core/Event.h>

#include <cstddef>
#include <deque>

#include "base/stopwatch.h"
#include "compute/compute.h"

namespace sdgen {

// On the CPU a step is done when it has been given. A GPU works on behind: what ends a step there is an
// event, and one more step may be given before the host waits for it.
class StepClock {
 public:
  explicit StepClock(const Compute& compute);

  void begin_step();
  void end_step();  // its work has been given to the device

  // Steps given whose time has not been taken.
  std::size_t pending() const;
  // How many of them to leave pending while there are more steps to come.
  std::size_t lead() const;

  // Waits until the oldest pending step is done; its seconds. On a GPU from the end of the step before.
  double take();

 private:
  bool is_device() const { return !device_.is_cpu(); }
  c10::Event event_now() const;

  at::Device device_;
  Stopwatch stopwatch_;
  std::deque<double> seconds_;     // of pending steps, on the CPU
  std::deque<c10::Event> events_;  // on a GPU: the end of the step before the oldest pending, then of each
};

}  // namespace sdgen
