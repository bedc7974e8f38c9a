#include "base/threads.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sdgen/generator.h"
#include "support/golden.h"

namespace sdgen {
namespace {

TEST(ThreadScope, SetsTheCallingThreadsCountAndPutsItBack) {
  const int before = at::get_num_threads();
  {
    const ThreadScope three(3);
    EXPECT_EQ(at::get_num_threads(), 3);
    {
      const ThreadScope one(1);
      EXPECT_EQ(at::get_num_threads(), 1);
    }
    EXPECT_EQ(at::get_num_threads(), 3);
    std::thread([&] { EXPECT_EQ(at::get_num_threads(), before) << "new to libtorch"; }).join();
  }
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(ThreadCount, NothingAskedIsTheThreadsOwn) {
  EXPECT_EQ(thread_count(0), at::get_num_threads());
  const ThreadScope three(3);
  EXPECT_EQ(thread_count(0), 3);
  EXPECT_EQ(thread_count(5), 5);
  EXPECT_THROW(thread_count(-1), Error);
}

Generator opened(int threads) {
  return {testing::golden_path("pipelines/variant-tiny"),
          {.device = Device::kCpu, .dtype = DType::kFloat32, .threads = threads}};
}

// The counts that a run computes with, as its steps see them; `meanwhile` after each of them.
std::vector<int> counts_of(Generator& generator, const std::function<void()>& meanwhile = {}) {
  std::vector<int> counts;
  generator.run({{.prompt = "a cat", .steps = 3, .seed = 1, .width = 32, .height = 32}}, {},
                {.on_step = [&](const StepProgress&) {
                  counts.push_back(at::get_num_threads());
                  if (meanwhile) meanwhile();
                }});
  return counts;
}

TEST(GeneratorThreads, EachGeneratorKeepsItsOwn) {
  const int before = at::get_num_threads();
  Generator two = opened(2), one = opened(1);
  EXPECT_EQ(two.info().threads, 2);
  EXPECT_EQ(one.info().threads, 1);
  EXPECT_EQ(at::get_num_threads(), before) << "to open a model changes nothing";
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(counts_of(two), std::vector<int>(3, 2));
    EXPECT_EQ(counts_of(one), std::vector<int>(3, 1));
    EXPECT_EQ(at::get_num_threads(), before);
  }
}

TEST(GeneratorThreads, SideBySideOnTwoThreadsToo) {
  Generator two = opened(2), one = opened(1);
  std::vector<int> counts_of_two, counts_of_one;
  // While the one draws, the other begins and ends.
  counts_of_one = counts_of(one, [&] { std::thread([&] { counts_of_two = counts_of(two); }).join(); });
  EXPECT_EQ(counts_of_one, std::vector<int>(3, 1));
  EXPECT_EQ(counts_of_two, std::vector<int>(3, 2));
}

TEST(GeneratorThreads, ARunThatFailsPutsTheCountBack) {
  const int before = at::get_num_threads();
  Generator one = opened(1);
  EXPECT_THROW(one.run({{.prompt = "a cat", .steps = 0}}, {}, {}), Error);
  EXPECT_EQ(at::get_num_threads(), before);
  const auto fail = [&] { throw std::runtime_error("the observer's own"); };
  EXPECT_ANY_THROW(counts_of(one, fail));
  EXPECT_EQ(at::get_num_threads(), before);
}

}  // namespace
}  // namespace sdgen
