// Parts of a model that are read when they are first asked for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/stopwatch.h"
#include "base/work_watch.h"
#include "compute/compute.h"
#include "weights/weights.h"

namespace sdgen {

// Told what was loaded and how long it took, seconds.
using LoadCallback = std::function<void(const std::string& component, double seconds)>;

// `part`, an optional or a pointer, built if it is not there yet.
template <typename Part, typename Build>
const auto& loaded(Part& part, const std::string& name, const Compute& compute, const LoadCallback& on_load,
                   const Build& build) {
  if (!part) {
    const Stopwatch stopwatch;
    const WorkStage stage("load", name);
    part = build();
    synchronize(compute);
    on_load(name, stopwatch.seconds());
  }
  return *part;
}

template <typename Part>
void release(Part& part) {
  part.reset();
  release_freed_memory();
}

// Of tensors that no layer asked for, but for names that begin with one of `ignored`.
inline void warn_of_unused(const Weights& weights, const std::vector<std::string>& ignored,
                           std::vector<std::string>& warnings) {
  if (std::string warning = weights.unused_warning(ignored); !warning.empty())
    warnings.push_back(std::move(warning));
}

}  // namespace sdgen
