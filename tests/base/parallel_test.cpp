#include "base/parallel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/numbers.h"

namespace sdgen {
namespace {

using testing::Threads;
using namespace std::chrono_literals;

// How often run_tasks(count) runs each task; a task outside [0, count) fails the test.
std::vector<int> task_runs(std::int64_t count) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
  std::atomic<int> outside{0};
  run_tasks(count, [&](TaskCounter& tasks) {
    for (std::int64_t task = 0; tasks.next(task);) {
      if (task < 0 || task >= count)
        ++outside;
      else
        ++runs[static_cast<std::size_t>(task)];
    }
  });
  EXPECT_EQ(outside, 0);
  return {runs.begin(), runs.end()};
}

std::vector<int> once_each(std::int64_t count) {
  return std::vector<int>(static_cast<std::size_t>(count), 1);
}

// Waits until `count` threads have come, or for a time that no healthy machine needs.
class Meeting {
 public:
  explicit Meeting(int count) : missing_(count) {}
  bool arrive() {
    std::unique_lock lock(mutex_);
    if (--missing_ == 0) all_here_.notify_all();
    return all_here_.wait_for(lock, 10s, [&] { return missing_ <= 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  int missing_;
};

TEST(Parallel, EveryTaskRunsExactlyOnce) {
  for (const int threads : {1, 2, 4}) {
    const Threads scope(threads);
    for (const std::int64_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      SCOPED_TRACE(concat(threads, " threads, ", count, " tasks"));
      for (int repetition = 0; repetition < 20; ++repetition) EXPECT_EQ(task_runs(count), once_each(count));
    }
  }
}

TEST(Parallel, TwoTasksThatWaitForEachOtherMeetOnTwoThreads) {
  const Threads scope(2);
  for (int repetition = 0; repetition < 5; ++repetition) {
    Meeting meeting(2);
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::atomic<bool> met{true};
    run_tasks(2, [&](TaskCounter& tasks) {
      for (std::int64_t task = 0; tasks.next(task);) {
        if (!meeting.arrive()) met = false;
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
    });
    ASSERT_TRUE(met) << "one thread took both tasks, one after the other";
    EXPECT_EQ(threads.size(), 2u);
  }
}

TEST(Parallel, ChunksMeetOnTwoThreadsToo) {
  const Threads scope(2);
  Meeting meeting(2);
  std::atomic<bool> met{true};
  parallel_chunks(2, 1, [&](std::int64_t, std::int64_t) {
    if (!meeting.arrive()) met = false;
  });
  EXPECT_TRUE(met);
}

TEST(Parallel, NoMoreThreadsThanAskedFor) {
  for (const int count : {1, 2, 3}) {
    const Threads scope(count);
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::atomic<int> workers{0};
    run_tasks(200, [&](TaskCounter& tasks) {
      ++workers;
      for (std::int64_t task = 0; tasks.next(task);) {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
    });
    EXPECT_LE(workers, count);
    EXPECT_LE(threads.size(), static_cast<std::size_t>(count));
  }
}

TEST(Parallel, TheFirstExceptionIsRethrownAndTheNextCallLosesNothing) {
  const Threads scope(2);
  for (int repetition = 0; repetition < 5; ++repetition) {
    Meeting meeting(2);
    std::atomic<bool> first_thrown{false};
    try {
      run_tasks(2, [&](TaskCounter& tasks) {
        std::int64_t task = 0;
        ASSERT_TRUE(tasks.next(task));
        ASSERT_TRUE(meeting.arrive());
        if (task == 0) {
          first_thrown = true;
          throw std::invalid_argument("first");
        }
        while (!first_thrown) std::this_thread::yield();
        std::this_thread::sleep_for(30ms);
        throw std::runtime_error("second");
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::invalid_argument& error) {
      EXPECT_STREQ(error.what(), "first");
    } catch (const std::exception& error) {
      ADD_FAILURE() << "'" << error.what() << "' came out, or the type was lost";
    }
    EXPECT_EQ(task_runs(100), once_each(100));
  }
}

TEST(Parallel, AnExceptionOfAnyThreadComesOut) {
  for (const int threads : {1, 2, 4}) {
    const Threads scope(threads);
    for (std::int64_t thrower = 0; thrower < 8; ++thrower) {
      SCOPED_TRACE(concat(threads, " threads, task ", thrower, " throws"));
      EXPECT_THROW(run_tasks(8,
                             [&](TaskCounter& tasks) {
                               for (std::int64_t task = 0; tasks.next(task);)
                                 if (task == thrower) fail_working("task ", task);
                             }),
                   Error);
      EXPECT_THROW(parallel_chunks(8, 1,
                                   [&](std::int64_t begin, std::int64_t) {
                                     if (begin == thrower) fail_working("chunk ", begin);
                                   }),
                   Error);
    }
  }
}

TEST(Parallel, ChunksCoverTheRangeOnceAndKeepTheirSize) {
  for (const int threads : {1, 2, 4}) {
    const Threads scope(threads);
    for (const std::int64_t count : {0, 1, 5, 64, 65, 1000}) {
      for (const std::int64_t chunk : {1, 7, 64, 5000}) {
        SCOPED_TRACE(concat(threads, " threads, ", count, " by ", chunk));
        std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
        std::atomic<int> wrong{0};
        parallel_chunks(count, chunk, [&](std::int64_t begin, std::int64_t end) {
          if (begin < 0 || begin >= end || end > count || end - begin > chunk) {
            ++wrong;
            return;
          }
          for (std::int64_t i = begin; i < end; ++i) ++runs[static_cast<std::size_t>(i)];
        });
        EXPECT_EQ(wrong, 0) << "empty, oversized or outside chunks";
        EXPECT_EQ(std::vector<int>(runs.begin(), runs.end()), once_each(count));
      }
    }
  }
}

TEST(Parallel, NestedCallsRunEveryTask) {
  const Threads scope(2);
  std::atomic<int> inner{0};
  run_tasks(6, [&](TaskCounter& tasks) {
    for (std::int64_t task = 0; tasks.next(task);) {
      run_tasks(5, [&](TaskCounter& more) {
        for (std::int64_t other = 0; more.next(other);) ++inner;
      });
      parallel_chunks(10, 3,
                      [&](std::int64_t begin, std::int64_t end) { inner += static_cast<int>(end - begin); });
    }
  });
  EXPECT_EQ(inner, 6 * (5 + 10));
}

TEST(Parallel, LibtorchOperatorsRunInsideATask) {
  const Threads scope(2);
  const Tensor x = testing::numbers({300, 300}, 1);
  const Tensor expected = at::mm(x, x);
  std::atomic<int> equal{0};
  run_tasks(4, [&](TaskCounter& tasks) {
    for (std::int64_t task = 0; tasks.next(task);)
      if (at::allclose(at::mm(x, x), expected, 1e-4, 1e-4)) ++equal;
  });
  EXPECT_EQ(equal, 4);
}

TEST(Parallel, CallsFromSeveralThreadsDoNotMix) {
  const Threads scope(2);
  std::vector<std::vector<int>> runs(3);
  std::vector<std::thread> callers;
  for (std::vector<int>& mine : runs) callers.emplace_back([&mine] { mine = task_runs(500); });
  for (std::thread& caller : callers) caller.join();
  for (const std::vector<int>& mine : runs) EXPECT_EQ(mine, once_each(500));
}

}  // namespace
}  // namespace sdgen
