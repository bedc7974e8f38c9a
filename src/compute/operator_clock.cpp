#include "compute/operator_clock.h"

#include <algorithm>
#include <map>

namespace sdgen {
namespace {

// libtorch hands its callbacks no data of ours.
thread_local OperatorClock* listening = nullptr;

}  // namespace

OperatorClock::OperatorClock(const Compute& compute) : compute_(compute) {
  listening = this;
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&OperatorClock::begin, &OperatorClock::end)
                                           .needsInputs(true)  // a layer's work is one
                                           .scopes({at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE}));
}

OperatorClock::~OperatorClock() {
  at::removeCallback(handle_);
  listening = nullptr;
}

std::unique_ptr<at::ObserverContext> OperatorClock::begin(const at::RecordFunction& function) {
  OperatorClock& clock = *listening;
  const bool is_layer = function.scope() == at::RecordScope::USER_SCOPE;
  if (!is_layer && clock.innermost_) return nullptr;  // part of what is open
  auto open = std::make_unique<Open>();
  open->call.name = function.name();
  if (is_layer && function.num_inputs() == 1 && function.inputs()[0].isDouble())
    open->call.flop = function.inputs()[0].toDouble();
  open->around = clock.innermost_;
  clock.innermost_ = open.get();
  open->call.begin = clock.now();
  return open;
}

void OperatorClock::end(const at::RecordFunction&, at::ObserverContext* context) {
  if (!context) return;
  OperatorClock& clock = *listening;
  Open& open = *static_cast<Open*>(context);
  open.call.end = clock.now();
  const double seconds = std::chrono::duration<double>(open.call.end - open.call.begin).count();
  open.call.seconds = seconds - open.inner_seconds;
  if (open.around) open.around->inner_seconds += seconds;
  clock.innermost_ = open.around;
  clock.calls_.push_back(std::move(open.call));
}

OperatorClock::Time OperatorClock::now() const {
  synchronize(compute_);
  return std::chrono::steady_clock::now();
}

std::vector<OperatorTimes> OperatorClock::take(double seconds) {
  if (calls_.empty()) return {};
  const Time first =
      calls_.back().end - std::chrono::duration_cast<Time::duration>(std::chrono::duration<double>(seconds));
  std::map<std::string, OperatorTimes> by_name;
  for (const Call& call : calls_) {
    if (call.begin < first) continue;
    OperatorTimes& times = by_name[call.name];
    ++times.calls;
    times.seconds += call.seconds;
    times.gflop += call.flop / 1e9;
  }
  calls_.clear();
  std::vector<OperatorTimes> table;
  for (auto& [name, times] : by_name) {
    times.name = name;
    table.push_back(std::move(times));
  }
  std::stable_sort(table.begin(), table.end(),
                   [](const OperatorTimes& a, const OperatorTimes& b) { return a.seconds > b.seconds; });
  return table;
}

}  // namespace sdgen
