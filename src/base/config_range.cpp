#include "base/config_range.h"

namespace sdgen {
namespace {

[[noreturn]] void refuse(const Config& config, const std::string& key, const std::string& value,
                         Range range) {
  fail_input(config.path.string(), ": key '", key, "' is ", value, "; expected ", range.least, " to ",
             range.most);
}

std::int64_t checked(const Config& config, const std::string& key, const Json& value, Range range) {
  // What passes 63 bits, Config itself calls unusable, without the range.
  const bool passes = value.is_number_unsigned() && !std::in_range<std::int64_t>(value.get<std::uint64_t>());
  if (passes) refuse(config, key, std::to_string(value.get<std::uint64_t>()), range);
  const Config alone{config.path, {{key, value}}};
  const auto number = alone.at<std::int64_t>(key);
  require_range(config, key, number, range);
  return number;
}

}  // namespace

void require_range(const Config& config, const std::string& key, std::int64_t value, Range range) {
  if (value < range.least || value > range.most) refuse(config, key, std::to_string(value), range);
}

std::int64_t whole_number(const Config& config, const std::string& key, Range range, std::int64_t fallback) {
  return config.has(key) ? whole_number(config, key, range) : fallback;
}

std::int64_t whole_number(const Config& config, const std::string& key, Range range) {
  if (!config.has(key)) return config.at<std::int64_t>(key);  // throws
  return checked(config, key, config.json.at(key), range);
}

std::vector<std::int64_t> whole_numbers(const Config& config, const std::string& key, Range range) {
  if (!config.has(key) || !config.json.at(key).is_array())
    return config.at<std::vector<std::int64_t>>(key);  // throws
  std::vector<std::int64_t> numbers;
  for (const Json& value : config.json.at(key)) numbers.push_back(checked(config, key, value, range));
  return numbers;
}

}  // namespace sdgen
