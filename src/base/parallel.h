// Work handed out to libtorch's own threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/work_watch.h"

namespace sdgen {

// Blocks of `size` that `count` things fill, the last perhaps in part.
inline std::int64_t blocks(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

// Hands out 0, 1, ... count-1, each once, to whichever thread asks first; no more of them where a stop is
// wanted.
class TaskCounter {
 public:
  explicit TaskCounter(std::int64_t count) : count_(count) {}
  bool next(std::int64_t& task) {
    if (is_stop_wanted()) {  // asked of the thread whose work it is, like the others' tasks
      is_stopped_ = true;
      next_.store(count_, std::memory_order_relaxed);
    }
    task = next_.fetch_add(1, std::memory_order_relaxed);
    return task < count_;
  }
  bool is_stopped() const { return is_stopped_; }

 private:
  std::atomic<std::int64_t> next_{0};
  std::int64_t count_;
  std::atomic<bool> is_stopped_{false};
};

// Runs `worker` on up to at::get_num_threads() threads at once, until each has returned; a worker keeps its
// scratch memory and takes tasks from the counter until none is left. Rethrows the first exception. Throws
// Stopped where the tasks were not all handed out. The threads are those of the OpenMP runtime that libtorch
// itself loaded: a second runtime, or at::parallel_for compiled without OpenMP, would be slower than one
// thread.
void run_tasks(std::int64_t count, const std::function<void(TaskCounter&)>& worker);

// body(begin, end) over [0, count) in chunks of `chunk`, side by side.
void parallel_chunks(std::int64_t count, std::int64_t chunk,
                     const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace sdgen
