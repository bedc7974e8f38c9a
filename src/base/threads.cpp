#include "base/threads.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

#include "base/cpu_limit.h"
#include "base/parallel.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr int kMaxThreads = 1024;

// The calling thread's count for OpenMP. at::set_num_threads() sets it and MKL's, and besides what threads
// that are new to libtorch begin with.
void set_count(int count) {
  using SetCount = void (*)(int);
  static const auto openmp = reinterpret_cast<SetCount>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (openmp)
    openmp(count);
  else
    at::set_num_threads(count);
}

// The calling thread's count for MKL, where libtorch has it; returns the one before, 0 for OpenMP's.
int set_count_of_mkl(int count) {
  using SetCount = int (*)(int);
  static const auto mkl = reinterpret_cast<SetCount>(dlsym(RTLD_DEFAULT, "MKL_Set_Num_Threads_Local"));
  return mkl ? mkl(count) : 0;
}

// By the process's affinity; 0 where that cannot be told.
int usable_cpus() {
  cpu_set_t cpus;
  return sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 0;
}

// OpenMP ends the process where it cannot start a thread. So as many are started at once to see whether they
// can be had, and one to spare.
void require_threads(int count) {
  std::latch all_started(1);
  std::vector<std::thread> threads;
  const auto let_go = [&] {
    all_started.count_down();
    for (std::thread& thread : threads) thread.join();
  };
  try {
    threads.reserve(static_cast<std::size_t>(count));
    while (static_cast<int>(threads.size()) < count) threads.emplace_back([&] { all_started.wait(); });
  } catch (const std::system_error& error) {
    const std::size_t started = std::max<std::size_t>(1, threads.size());
    let_go();
    fail_working("--threads ", count, ": only ", started, " can be started: ", error.code().message(),
                 "; try a smaller --threads (limits: ulimit -u, ulimit -v)");
  }
  let_go();
}

}  // namespace

int thread_count(int asked) {
  if (asked < 0 || asked > kMaxThreads)
    fail_request("--threads ", asked, ": expected 1 to ", kMaxThreads, ", or 0 for all cores");
  if (asked > 0) return asked;
  const int threads = at::get_num_threads();
  // libtorch takes a thread for each CPU that the process may run on, and knows nothing of how much time it
  // gets there.
  const bool is_chosen = std::getenv("OMP_NUM_THREADS") != nullptr || threads != usable_cpus();
  return is_chosen ? threads : std::min(threads, cpu_limit().value_or(threads));
}

ThreadScope::ThreadScope(int count) : before_(at::get_num_threads()), before_of_mkl_(0) {
  thread_local int started = 1;  // OpenMP keeps them for the thread that began them
  const bool is_more = count > started;
  if (is_more) require_threads(count);
  set_count(count);
  before_of_mkl_ = set_count_of_mkl(count);
  if (!is_more) return;
  run_tasks(count, [](TaskCounter&) {});
  started = count;
}

ThreadScope::~ThreadScope() {
  set_count(before_);
  set_count_of_mkl(before_of_mkl_);
}

}  // namespace sdgen
