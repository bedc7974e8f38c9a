// How many CPU threads compute.
#pragma once

namespace sdgen {

// What ComputeOptions::threads means: 0 is as many as the calling thread would use by itself, but no more
// than control groups give CPU time for. Throws Error(kRequest) for a negative or absurd count.
int thread_count(int asked);

// While it lives, what the calling thread computes is shared out to `count` threads; then to as many as
// before. Other threads are not touched, nor is the count that new ones take from at::set_num_threads().
class ThreadScope {
 public:
  // Throws Error(kWorking) if the system does not let so many start.
  explicit ThreadScope(int count);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
  int before_of_mkl_;  // 0: none of this thread's own
};

}  // namespace sdgen
