#include "cli/options/values.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "plain/utf8.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

constexpr std::size_t kMaxEntries = 100;  // of a list; a prompt has 77 tokens

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

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1)
    parts.push_back(trimmed(text.substr(begin, end - begin)));
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

// "word SEPARATOR value" cut at the last separator; a word may hold it.
std::pair<std::string, std::string> word_and_value(const std::string& name, const std::string& text,
                                                   char separator, const char* form) {
  const std::size_t at = text.rfind(separator);
  if (at == std::string::npos || trimmed(text.substr(0, at)).empty()) refuse(name, form, quoted(text));
  std::string word;
  parse_value(name, trimmed(text.substr(0, at)), word);
  return {word, trimmed(text.substr(at + 1))};
}

WordWeight parse_weight(const std::string& name, const std::string& text) {
  const auto [word, weight] = word_and_value(name, text, ':', "WORD:WEIGHT, e.g. \"apple:1.5\"");
  WordWeight result{word, 1.0};
  parse_value(name + " '" + word + "'", weight, result.weight);
  return result;
}

WordBox parse_box(const std::string& name, const std::string& text) {
  constexpr char kForm[] = "WORD=x0,y0,x1,y1 in parts of the picture, e.g. \"apple=0,0,0.5,1\"";
  const auto [word, box] = word_and_value(name, text, '=', kForm);
  const std::vector<std::string> sides = split(box, ',');
  if (sides.size() != 4) refuse(name, kForm, quoted(text));
  WordBox result{word};
  double* const members[] = {&result.x0, &result.y0, &result.x1, &result.y1};
  for (std::size_t i = 0; i < 4; ++i) parse_value(name + " '" + word + "'", sides[i], *members[i]);
  return result;
}

void require_room(const std::string& name, std::size_t count) {
  if (count >= kMaxEntries) refuse(name, "at most " + std::to_string(kMaxEntries) + " entries", "more");
}

// Entries with ; between them; an empty text is none.
template <typename Entry>
void parse_entries(const std::string& name, const std::string& text, std::vector<Entry>& value,
                   Entry (*parse)(const std::string&, const std::string&)) {
  std::vector<Entry> entries;
  for (const std::string& part : split(text, ';')) {
    if (part.empty()) continue;
    require_room(name, entries.size());
    entries.push_back(parse(name, part));
  }
  value = std::move(entries);
}

template <typename Entry>
void parse_json_entries(const std::string& name, const nlohmann::json& json, std::vector<Entry>& value) {
  std::string joined;
  for (const nlohmann::json& part : json.is_array() ? json : nlohmann::json::array({json})) {
    std::string text;
    parse_value(name, part, text);
    joined += text + ";";
  }
  parse_value(name, joined, value);
}

template <typename Value>
Value parse_one(const std::string& name, const std::string& text) {
  Value value{};
  parse_value(name, text, value);
  return value;
}

template <typename Value>
void parse_json_list(const std::string& name, const nlohmann::json& json, std::vector<Value>& value) {
  std::vector<Value> values;
  for (const nlohmann::json& part : json.is_array() ? json : nlohmann::json::array({json})) {
    require_room(name, values.size());
    parse_value(name, part, values.emplace_back());
  }
  value = std::move(values);
}

std::string shown(const nlohmann::json& json) {
  if (json.is_array()) return "an array";
  if (json.is_object()) return "an object";
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

void parse_value(const std::string& name, const std::string& text, std::vector<WordWeight>& value) {
  parse_entries(name, text, value, parse_weight);
}
void parse_value(const std::string& name, const std::string& text, std::vector<WordBox>& value) {
  parse_entries(name, text, value, parse_box);
}

void parse_value(const std::string& name, const std::string& text, std::vector<std::string>& value) {
  parse_entries(name, text, value, parse_one<std::string>);
}
void parse_value(const std::string& name, const std::string& text, std::vector<double>& value) {
  parse_entries(name, text, value, parse_one<double>);
}

void parse_value(const std::string& name, const nlohmann::json& json, std::vector<std::string>& value) {
  parse_json_list(name, json, value);
}
void parse_value(const std::string& name, const nlohmann::json& json, std::vector<double>& value) {
  parse_json_list(name, json, value);
}

void parse_value(const std::string& name, const nlohmann::json& json, std::vector<WordWeight>& value) {
  parse_json_entries(name, json, value);
}
void parse_value(const std::string& name, const nlohmann::json& json, std::vector<WordBox>& value) {
  parse_json_entries(name, json, value);
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

void parse_value(const std::string& name, const nlohmann::json& json, bool& value) {
  if (!json.is_boolean()) refuse(name, "true or false", shown(json));
  value = json.get<bool>();
}

void parse_value(const std::string& name, const nlohmann::json& json, std::string& value) {
  if (!json.is_string()) refuse(name, "a string", shown(json));
  if (json.get_ref<const std::string&>().find('\0') != std::string::npos)
    refuse(name, "text without NUL characters", shown(json));
  value = json.get<std::string>();
}

}  // namespace sdgen::cli
