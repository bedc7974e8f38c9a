// Whose time an operator's is.
#include "compute/operator_clock.h"

#include <gtest/gtest.h>

#include <thread>

#include "compute/operator_scope.h"

namespace sdgen {
namespace {

constexpr double kLong = 3600.0;

void wait(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

const OperatorTimes* find(const std::vector<OperatorTimes>& table, const std::string& name) {
  for (const OperatorTimes& times : table)
    if (times.name == name) return &times;
  return nullptr;
}

TEST(OperatorClock, ALayersOperatorsCountForTheLayerAndOthersForThemselves) {
  const at::Tensor x = at::ones({4, 4});
  OperatorClock clock{Compute()};
  {
    const OperatorScope scope([] { return OperatorCall{"layer", 2e9}; });
    at::relu(x);
  }
  at::neg(x);
  at::neg(x);
  const std::vector<OperatorTimes> table = clock.take(kLong);
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(find(table, "layer")->calls, 1u);
  EXPECT_EQ(find(table, "layer")->gflop, 2.0);
  EXPECT_EQ(find(table, "aten::neg")->calls, 2u);
  EXPECT_EQ(find(table, "aten::neg")->gflop, 0.0);
  EXPECT_TRUE(clock.take(kLong).empty()) << "told once";
}

TEST(OperatorClock, ALayerInsideAnotherCountsForItself) {
  OperatorClock clock{Compute()};
  {
    const OperatorScope outer([] { return OperatorCall{"outer"}; });
    const OperatorScope inner([] { return OperatorCall{"inner", 1e9}; });
    wait(30);
  }
  const std::vector<OperatorTimes> table = clock.take(kLong);
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[0].name, "inner");
  EXPECT_GE(table[0].seconds, 0.03);
  EXPECT_LT(table[1].seconds, 0.02);
  EXPECT_EQ(table[1].gflop, 0.0);
}

TEST(OperatorClock, WhatRanBeforeTheStageIsNotItsOwn) {
  OperatorClock clock{Compute()};
  {
    const OperatorScope before([] { return OperatorCall{"before"}; });
  }
  wait(30);
  {
    const OperatorScope during([] { return OperatorCall{"during"}; });
    wait(5);
  }
  wait(30);  // e.g. until the stage is told
  const std::vector<OperatorTimes> table = clock.take(0.02);
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table[0].name, "during");
}

TEST(OperatorClock, NobodyIsAskedWhereNobodyListens) {
  { const OperatorClock gone{Compute()}; }
  bool asked = false;
  const OperatorScope scope([&] {
    asked = true;
    return OperatorCall{"layer"};
  });
  EXPECT_FALSE(asked);
}

}  // namespace
}  // namespace sdgen
