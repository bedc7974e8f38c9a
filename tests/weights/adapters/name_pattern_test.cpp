// PEFT's patterns against Python's re, and hostile ones.
#include "weights/adapters/name_pattern.h"

#include <gtest/gtest.h>

#include "sdgen/error.h"
#include "support/golden.h"

namespace sdgen {
namespace {

TEST(NamePattern, MatchesAsPythonDoes) {
  const Json golden = testing::golden_json("stored/name_patterns.json");
  std::uint64_t steps = 0;
  for (const Json& each : golden.at("patterns")) {
    const NamePattern pattern(each.at(0).get<std::string>(), "test");
    for (std::size_t i = 0; i < golden.at("names").size(); ++i) {
      const std::string name = golden.at("names")[i];
      EXPECT_EQ(pattern.matches_end_of(name, steps), each.at(1)[i].get<bool>())
          << each.at(0) << " on " << name;
    }
  }
  EXPECT_LT(steps, 1'000'000u);
}

TEST(NamePattern, WhatIsNoPatternIsRefused) {
  for (const std::string bad : testing::golden_json("stored/name_patterns.json").at("bad")) {
    try {
      const NamePattern pattern(bad, "x.json: key 'alpha_pattern'");
      ADD_FAILURE() << "taken: " << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_EQ(std::string(error.what()).find("x.json: key 'alpha_pattern': '"), 0u) << error.what();
    }
  }
}

TEST(NamePattern, HostilePatternsStayBounded) {
  const std::string name(1000, 'a');
  for (const std::string hostile :
       {"(a+)+b", "((a*)*)*b", "(a|a)*b", "(a|aa)+$b", "(.*)*(.*)*(.*)*b", "(a{0,30}){0,30}b"}) {
    std::uint64_t steps = 0;
    EXPECT_FALSE(NamePattern(hostile, "test").matches_end_of(name, steps)) << hostile;
    EXPECT_LT(steps, 10'000'000u) << hostile;
  }
  const auto refused = [](const std::string& pattern) {
    EXPECT_THROW(NamePattern(pattern, "test"), Error) << pattern.substr(0, 40);
  };
  refused("(((a{1000}){1000}){1000}){1000}");
  refused(std::string(1000, '('));
  refused(std::string(20'000, 'a'));
  std::uint64_t steps = 0;
  std::string looks = "b";
  for (int i = 0; i < 20; ++i) looks = "(?!(" + looks + "|a)*c)";
  NamePattern(looks + ".*", "test").matches_end_of(name, steps);
  EXPECT_LT(steps, 2 * kMaxPatternSteps);
}

}  // namespace
}  // namespace sdgen
