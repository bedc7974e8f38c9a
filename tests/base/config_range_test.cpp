#include "base/config_range.h"

#include <gtest/gtest.h>

namespace sdgen {
namespace {

template <typename Work>
std::string refusal(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "taken";
}

struct Case {
  std::string value, message;
};

class WholeNumber : public ::testing::TestWithParam<Case> {};

TEST_P(WholeNumber, OutsideItsRangeIsRefusedByFileKeyValueAndRange) {
  const Config config{"c.json", Json::parse("{\"layers\": " + GetParam().value + "}")};
  EXPECT_EQ(refusal([&] { whole_number(config, "layers", {1, 256}); }), GetParam().message);
  EXPECT_EQ(refusal([&] { whole_number(config, "layers", {1, 256}, 12); }), GetParam().message);
  const Config list{"c.json", Json::parse("{\"layers\": [1, " + GetParam().value + "]}")};
  EXPECT_EQ(refusal([&] { whole_numbers(list, "layers", {1, 256}); }), GetParam().message);
}

const std::string kExpected = "; expected 1 to 256";
INSTANTIATE_TEST_SUITE_P(Values, WholeNumber,
                         ::testing::Values(Case{"0", "c.json: key 'layers' is 0" + kExpected},
                                           Case{"-1", "c.json: key 'layers' is -1" + kExpected},
                                           Case{"257", "c.json: key 'layers' is 257" + kExpected},
                                           Case{"-9223372036854775808",
                                                "c.json: key 'layers' is -9223372036854775808" + kExpected},
                                           Case{"9223372036854775807",
                                                "c.json: key 'layers' is 9223372036854775807" + kExpected},
                                           Case{"18446744073709551615",
                                                "c.json: key 'layers' is 18446744073709551615" + kExpected},
                                           Case{"2.5", "c.json: key 'layers' has the unusable value 2.5"}));

TEST(WholeNumberInRange, IsTakenAndAbsentIsTheFallback) {
  const Config config{"c.json", {{"layers", 256}, {"none", nullptr}, {"widths", {1, 3}}}};
  EXPECT_EQ(whole_number(config, "layers", {1, 256}), 256);
  EXPECT_EQ(whole_number(config, "none", {1, 256}, 0), 0);
  EXPECT_EQ(whole_number(config, "absent", {1, 256}, -1), -1);
  EXPECT_EQ(whole_numbers(config, "widths", {1, 3}), (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(refusal([&] { whole_number(config, "absent", {1, 256}); }), "c.json: key 'absent' is missing");
}

}  // namespace
}  // namespace sdgen
