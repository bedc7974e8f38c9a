#include "base/parallel.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <algorithm>
#include <exception>
#include <mutex>

namespace sdgen {
namespace {

// libgomp's entry point of a parallel region, part of its stable ABI.
using GompParallel = void (*)(void (*body)(void*), void* data, unsigned threads, unsigned flags);

struct Region {
  TaskCounter counter;
  const std::function<void(TaskCounter&)>& worker;
  std::mutex mutex;
  std::exception_ptr failure;

  void run() {
    try {
      worker(counter);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }
};

}  // namespace

void run_tasks(std::int64_t count, const std::function<void(TaskCounter&)>& worker) {
  static const auto gomp_parallel = reinterpret_cast<GompParallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  Region region{TaskCounter(count), worker, {}, {}};
  const std::int64_t threads = std::min<std::int64_t>(count, at::get_num_threads());
  if (threads > 1 && gomp_parallel && !at::in_parallel_region()) {
    gomp_parallel([](void* data) { static_cast<Region*>(data)->run(); }, &region,
                  static_cast<unsigned>(threads), 0);
  } else if (count > 0) {
    region.run();
  }
  if (region.failure) std::rethrow_exception(region.failure);
  if (region.counter.is_stopped()) throw Stopped{};
}

void parallel_chunks(std::int64_t count, std::int64_t chunk,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  run_tasks((count + chunk - 1) / chunk, [&](TaskCounter& tasks) {
    for (std::int64_t task = 0; tasks.next(task);) body(task * chunk, std::min(count, (task + 1) * chunk));
  });
}

}  // namespace sdgen
