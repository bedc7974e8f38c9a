#include "compute/step_clock.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include "compute/operator_scope.h"

namespace sdgen {

StepClock::StepClock(const Compute& compute) : device_(compute.device) {}

c10::Event StepClock::event_now() const {
  c10::Event event(device_.type(), c10::EventFlag::BACKEND_DEFAULT);  // one that has a time
  event.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  return event;
}

void StepClock::begin_step() {
  stopwatch_ = Stopwatch();
  if (is_device() && events_.empty()) events_.push_back(event_now());
}

void StepClock::end_step() {
  if (is_device())
    events_.push_back(event_now());
  else
    seconds_.push_back(stopwatch_.seconds());
}

std::size_t StepClock::pending() const {
  if (!is_device()) return seconds_.size();
  return events_.empty() ? 0 : events_.size() - 1;
}

std::size_t StepClock::lead() const {
  return is_device() && !operators_are_heard() ? 1 : 0;
}

double StepClock::take() {
  if (!is_device()) {
    const double seconds = seconds_.front();
    seconds_.pop_front();
    return seconds;
  }
  events_[1].synchronize();
  const double seconds = events_[0].elapsedTime(events_[1]) / 1000;
  events_.pop_front();
  return seconds;
}

}  // namespace sdgen
