// Recording and replaying, with a stand-in for the GPU.
#include "compute/recorder.h"

#include <gtest/gtest.h>

#include "support/fake_graphs.h"

namespace sdgen {
namespace {

class RecorderTest : public ::testing::Test {
 protected:
  Recorder recorder(bool fails = false) {
    return {std::make_unique<testing::FakeGraphs>(counts_, fails),
            [this](const std::string& warning) { warnings_.push_back(warning); }};
  }
  static TensorWork product() {
    return [](const Tensors& inputs) { return Tensors{inputs[0] * inputs[1]}; };
  }
  static Tensor number(double value, std::int64_t size = 3) { return at::full({size}, value, at::kFloat); }
  static float first(const Tensors& results) { return results[0][0].item<float>(); }

  testing::FakeGraphs::Counts counts_;
  std::vector<std::string> warnings_;
};

TEST_F(RecorderTest, WithoutGraphsTheWorkIsDoneAsItIs) {
  Recorder recorder(nullptr, {});
  const Tensor x = number(2);
  const Tensors same = recorder(0, [](const Tensors& inputs) { return inputs; }, {x});
  EXPECT_TRUE(same[0].is_same(x)) << "nothing is copied";
}

TEST_F(RecorderTest, DoesThenRecordsThenReplays) {
  Recorder recorder = this->recorder();
  const Tensor factor = number(10);
  std::vector<Tensors> results;
  for (int i = 1; i <= 5; ++i) results.push_back(recorder(0, product(), {number(i), factor}));
  for (int i = 1; i <= 5; ++i)
    EXPECT_EQ(first(results[static_cast<std::size_t>(i) - 1]), 10.0F * i) << "overwritten by a later replay";
  EXPECT_EQ(counts_.warm_ups, 1);
  EXPECT_EQ(counts_.records, 1);
  EXPECT_EQ(counts_.replays, 4);
}

TEST_F(RecorderTest, OtherTensorsOfTheSameShapesAreSeenWithoutRecordingAgain) {
  Recorder recorder = this->recorder();
  const Tensor x = number(3);
  for (const double factor : {1.0, 2.0, 3.0, 4.0})
    EXPECT_EQ(first(recorder(0, product(), {x, number(factor)})), 3 * factor);
  EXPECT_EQ(counts_.records, 1);
}

TEST_F(RecorderTest, AnInputIsLeftAsItIs) {
  Recorder recorder = this->recorder();
  const Tensor a = number(1), b = number(2);
  for (int i = 0; i < 3; ++i) recorder(0, product(), {a, b});
  recorder(0, product(), {number(7), number(8)});
  EXPECT_EQ(first({a}), 1);
  EXPECT_EQ(first({b}), 2);
}

TEST_F(RecorderTest, VariantsAndOtherShapesBesideTheFirstInputHaveRecordingsOfTheirOwn) {
  Recorder recorder = this->recorder();
  const TensorWork sum = [](const Tensors& inputs) { return Tensors{inputs[0] + inputs[1]}; };
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(first(recorder(0, product(), {number(i), number(10)})), 10.0F * i);
    EXPECT_EQ(first(recorder(1, sum, {number(i), number(10)})), 10.0F + i);
    EXPECT_EQ(recorder(0, product(), {number(i), number(5, 1)})[0].size(0), 3);
  }
  EXPECT_EQ(counts_.records, 3);
}

TEST_F(RecorderTest, AnotherShapeOfTheFirstInputForgetsWhatWasRecorded) {
  Recorder recorder = this->recorder();
  for (int round = 0; round < 2; ++round) {
    for (const std::int64_t size : {3, 4})
      for (int i = 1; i <= 2; ++i)
        EXPECT_EQ(first(recorder(0, product(), {number(i, size), number(10, size)})), 10.0F * i);
  }
  EXPECT_EQ(counts_.warm_ups, 4);
  EXPECT_EQ(counts_.records, 4);
}

TEST_F(RecorderTest, WhatCannotBeRecordedIsDoneAsItIsAndToldOnce) {
  Recorder recorder = this->recorder(/*fails=*/true);
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(first(recorder(0, product(), {number(i), number(10)})), 10.0F * i);
    EXPECT_EQ(first(recorder(1, product(), {number(i), number(20)})), 20.0F * i);
  }
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_NE(warnings_[0].find("operation not permitted"), std::string::npos) << warnings_[0];
  EXPECT_EQ(warnings_[0].find('\n'), std::string::npos) << "one line";
  EXPECT_EQ(counts_.replays, 0);
}

TEST_F(RecorderTest, AnErrorOfTheWorkItselfIsThrown) {
  Recorder recorder = this->recorder();
  const TensorWork wrong = [](const Tensors&) -> Tensors { fail_working("wrong"); };
  EXPECT_THROW(recorder(0, wrong, {number(1)}), Error);
  EXPECT_TRUE(warnings_.empty());
}

TEST(OpenGraphStream, TheCpuHasNoGraphs) {
  EXPECT_EQ(open_graph_stream(Compute{}), nullptr);
}

}  // namespace
}  // namespace sdgen
