#include "cli/values.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "cli/utf8.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

template <typename Number>
std::string expected() {
  if (std::is_floating_point_v<Number>) return "a number";
  const bool is_signed = std::is_signed_v<Number>;
  return std::string("a whole number ") + (is_signed ? "up to " : "from 0 to ") +
         std::to_string(std::numeric_limits<Number>::max());
}

[[noreturn]] void refuse(const std::string& name, const std::string& expected, const std::string& got) {
  throw Error(ErrorKind::kRequest, name + ": expected " + expected + ", got " + got);
}

std::string quoted(const std::string& text) {
  const std::string_view shown = utf8_prefix(text, 60);
  return "'" + std::string(shown) + (shown.size() < text.size() ? "..." : "") + "'";
}

template <typename Number>
void parse_number(const std::string& name, const std::string& text, Number& value) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    refuse(name, expected<Number>(), quoted(text));
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(number)) refuse(name, expected<Number>(), quoted(text));
  value = number;
}

std::string shown(const nlohmann::json& json) {
  const std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::string_view start = utf8_prefix(text, 60);
  return std::string(start) + (start.size() < text.size() ? "..." : "");
}

template <typename Integer>
void parse_integer(const std::string& name, const nlohmann::json& json, Integer& value) {
  const auto take = [&](auto number) {
    if (!std::in_range<Integer>(number)) refuse(name, expected<Integer>(), shown(json));
    value = static_cast<Integer>(number);
  };
  if (json.is_number_unsigned()) return take(json.get<std::uint64_t>());
  if (json.is_number_integer()) return take(json.get<std::int64_t>());
  refuse(name, expected<Integer>(), shown(json));
}

}  // namespace

void parse_value(const std::string& name, const std::string& text, int& value) {
  parse_number(name, text, value);
}
void parse_value(const std::string& name, const std::string& text, std::uint64_t& value) {
  parse_number(name, text, value);
}
void parse_value(const std::string& name, const std::string& text, double& value) {
  parse_number(name, text, value);
}

void parse_value(const std::string& name, const std::string& text, bool& value) {
  if (text != "true" && text != "false") refuse(name, "true or false", quoted(text));
  value = text == "true";
}

void parse_value(const std::string& name, const std::string& text, std::string& value) {
  if (const auto offset = invalid_utf8(text))
    refuse(name, "UTF-8", "another encoding at byte " + std::to_string(*offset + 1));
  value = text;
}

void parse_value(const std::string& name, const nlohmann::json& json, int& value) {
  parse_integer(name, json, value);
}
void parse_value(const std::string& name, const nlohmann::json& json, std::uint64_t& value) {
  parse_integer(name, json, value);
}

void parse_value(const std::string& name, const nlohmann::json& json, double& value) {
  if (!json.is_number()) refuse(name, "a number", shown(json));
  value = json.get<double>();
}

void parse_value(const std::string& name, const nlohmann::json& json, std::string& value) {
  if (!json.is_string()) refuse(name, "a string", shown(json));
  if (json.get_ref<const std::string&>().find('\0') != std::string::npos)
    refuse(name, "text without NUL characters", shown(json));
  value = json.get<std::string>();
}

}  // namespace sdgen::cli
