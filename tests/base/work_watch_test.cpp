#include "base/work_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "base/parallel.h"

namespace sdgen {
namespace {

TEST(WorkWatch, TellsStagesWithinStages) {
  std::vector<Work> told;
  const WorkWatch watch([&](const Work& work) { told.push_back(work); }, [] { return false; });
  const WorkStage decode("decode", "");
  layer_begins();
  {
    const WorkStage load("load", "vae");
    bytes_to_read(100);
    layer_built();
    bytes_read(60);
    EXPECT_EQ(told.back().stage, "load");
    EXPECT_EQ(told.back().detail, "vae");
    EXPECT_EQ(told.back().done, 60u);
    EXPECT_EQ(told.back().total, 100u);
  }
  layer_begins();
  EXPECT_EQ(told.back().stage, "decode");
  EXPECT_EQ(told.back().done, 2u) << "what was done before it loaded counts";
}

TEST(WorkWatch, AStepHasAsManyLayersAsWereBuiltOrAsTheOneBefore) {
  std::vector<Work> told;
  const WorkWatch watch([&](const Work& work) { told.push_back(work); }, [] { return false; });
  {
    const WorkStage load("load", "unet");
    for (int i = 0; i < 7; ++i) layer_built();
  }
  begin_step_work();
  EXPECT_EQ(told.back().total, 7u);
  for (int i = 0; i < 5; ++i) layer_begins();
  for (int i = 0; i < 3; ++i) {
    const RepeatedLayers repeated(i > 0);
    layer_begins();
  }
  bytes_read(1000);  // streamed
  EXPECT_EQ(told.back().done, 6u);
  begin_step_work();
  EXPECT_EQ(told.back().done, 0u);
  EXPECT_EQ(told.back().total, 6u);
}

TEST(WorkWatch, LeavesWorkWhereAStopIsWanted) {
  bool stop = false;
  const WorkWatch watch({}, [&] { return stop; });
  EXPECT_NO_THROW(layer_begins());
  stop = true;
  EXPECT_TRUE(is_stop_wanted());
  EXPECT_THROW(layer_begins(), Stopped);
  EXPECT_THROW(bytes_read(1), Stopped);
  const WorkPause pause;
  EXPECT_FALSE(is_stop_wanted());
  EXPECT_NO_THROW(layer_begins());
}

TEST(WorkWatch, LeavesALongLoopWithItsTasksUndone) {
  std::atomic<int> done = 0;
  const WorkWatch watch({}, [&] { return done >= 10; });
  const auto loop = [&] {
    run_tasks(1'000'000'000, [&](TaskCounter& tasks) {
      for (std::int64_t task = 0; tasks.next(task);) ++done;
    });
  };
  EXPECT_THROW(loop(), Stopped);
}

TEST(WorkWatch, WithoutOneNothingHappens) {
  const WorkStage stage("load", "unet");
  EXPECT_FALSE(is_stop_wanted());
  EXPECT_NO_THROW(layer_begins());
  EXPECT_NO_THROW(bytes_read(1));
}

}  // namespace
}  // namespace sdgen
