// Where a stage's time goes, operator by operator.
#pragma once

#include <ATen/record_function.h>

#include <chrono>
#include <string>
#include <vector>

#include "compute/compute.h"
#include "sdgen/operator_times.h"

namespace sdgen {

// Listens to the operators of this thread from construction to destruction; one at a time. A layer's own
// calls of libtorch count for the layer, a layer inside another for itself; libtorch's operators that no
// layer calls stand under their own names. On a GPU every operator is waited for, so that its time is its
// own.
class OperatorClock {
 public:
  explicit OperatorClock(const Compute& compute);
  ~OperatorClock();
  OperatorClock(const OperatorClock&) = delete;
  OperatorClock& operator=(const OperatorClock&) = delete;

  // The operators of a stage that took `seconds` and whose last one was the last heard of, the dearest first.
  // Forgets all so far.
  std::vector<OperatorTimes> take(double seconds);

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Call {
    std::string name;
    double flop = 0.0;
    Time begin, end;
    double seconds = 0.0;  // without layers inside it
  };
  // A call that has not ended.
  struct Open : at::ObserverContext {
    Call call;
    double inner_seconds = 0.0;  // of layers inside it
    Open* around = nullptr;
  };

  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function);
  static void end(const at::RecordFunction& function, at::ObserverContext* context);
  Time now() const;

  const Compute compute_;
  at::CallbackHandle handle_;
  Open* innermost_ = nullptr;
  std::vector<Call> calls_;
};

}  // namespace sdgen
