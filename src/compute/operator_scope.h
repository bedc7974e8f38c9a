// A call of a layer as libtorch's profilers see it, with the work it is worth.
#pragma once

#include <ATen/record_function.h>

#include <optional>
#include <string>

namespace sdgen {

struct OperatorCall {
  std::string name;   // e.g. "conv 3x3 winograd"
  double flop = 0.0;  // multiplications and additions by the direct method; 0: not counted
};

// Whether somebody listens to the operators of this thread.
inline bool operators_are_heard() {
  return at::hasThreadLocalCallbacks();
}

// From construction to destruction the layer is at work. `describe`, which returns its OperatorCall, is asked
// only where somebody listens; else this costs no more than what every operator of libtorch pays.
class OperatorScope {
 public:
  template <typename Describe>
  explicit OperatorScope(const Describe& describe) {
    std::optional<at::StepCallbacks> callbacks = at::getStepCallbacksUnlessEmpty(at::RecordScope::USER_SCOPE);
    if (!callbacks) return;
    OperatorCall call = describe();
    name_ = std::move(call.name);
    const c10::IValue flop(call.flop);
    record_.emplace(*std::move(callbacks));
    record_->before(name_.c_str(), c10::ArrayRef<const c10::IValue>(&flop, 1));
  }
  OperatorScope(const OperatorScope&) = delete;
  OperatorScope& operator=(const OperatorScope&) = delete;

 private:
  std::string name_;  // `record_` points to it
  std::optional<at::RecordFunction> record_;
};

}  // namespace sdgen
