#include "compute/recorder.h"

#include <c10/util/Exception.h>

#include "base/work_watch.h"
#include "compute/operator_scope.h"

namespace sdgen {
namespace {

std::vector<std::vector<std::int64_t>> shapes_of(const Tensors& tensors) {
  std::vector<std::vector<std::int64_t>> shapes;
  for (const Tensor& tensor : tensors) shapes.push_back(tensor.sizes().vec());
  return shapes;
}

Tensors copies_of(const Tensors& tensors) {
  Tensors copies;
  for (const Tensor& tensor : tensors) copies.push_back(tensor.clone());
  return copies;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

Recorder::Recorder(std::unique_ptr<GraphStream> graphs, std::function<void(const std::string&)> warn)
    : graphs_(std::move(graphs)), warn_(std::move(warn)) {}

Tensors Recorder::operator()(int variant, const TensorWork& work, const Tensors& inputs) {
  if (!graphs_ || operators_are_heard()) return work(inputs);
  const Key key{variant, shapes_of(inputs)};
  if (!recordings_.empty() && recordings_.begin()->first.second.front() != key.second.front()) forget();
  const auto [entry, is_new] = recordings_.try_emplace(key);
  Recording& recording = entry->second;
  if (is_new) {
    const WorkPause whole;  // what was not warmed up must not be recorded next
    recording.inputs = copies_of(inputs);
    recording.given = inputs;
    return copies_of(graphs_->warm_up([&] { return work(recording.inputs); }));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_same(recording.given[i])) continue;
    recording.inputs[i].copy_(inputs[i], /*non_blocking=*/true);
    recording.given[i] = inputs[i];
  }
  if (!recording.replay && !record(recording, work)) return work(inputs);
  return copies_of(recording.replay());  // the next replay writes over them
}

bool Recorder::record(Recording& recording, const TensorWork& work) {
  const WorkPause whole;  // a recording that is left halfway cannot be ended
  try {
    recording.replay = graphs_->record([work, &recording] { return work(recording.inputs); });
    return true;
  } catch (const c10::Error& error) {
    warn_(concat("steps are not recorded as CUDA graphs, which costs speed: ",
                 first_line(error.what_without_backtrace())));
  } catch (const std::exception& error) {
    warn_(concat("steps are not recorded as CUDA graphs, which costs speed: ", first_line(error.what())));
  }
  forget();
  graphs_.reset();
  return false;
}

void Recorder::forget() {
  recordings_.clear();
}

}  // namespace sdgen
