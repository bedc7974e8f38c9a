#include "cli/options/config_file.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "cli/options/input_text.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxConfigEntries = 1000;  // there are some sixty flags

std::string_view trimmed_text(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

struct Place {
  const std::string& name;
  std::size_t line;
};

[[noreturn]] void refuse(const Place& place, const std::string& message) {
  throw Error(ErrorKind::kRequest, place.name + ":" + std::to_string(place.line) + ": " + message);
}

// Offset of the quote that closes the one at 0.
std::size_t closing_quote(std::string_view text) {
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == text[0]) return at;
    if (text[0] == '"' && text[at] == '\\') ++at;
  }
  return std::string_view::npos;
}

std::string quoted_value(std::string_view text, const Place& place) {
  const std::size_t close = closing_quote(text);
  if (close == std::string_view::npos) refuse(place, "no closing " + std::string(1, text[0]));
  const std::string_view rest = trimmed_text(text.substr(close + 1));
  if (!rest.empty() && rest[0] != '#')
    refuse(place, "unexpected text behind the value: " + std::string(rest));
  if (text[0] == '\'') return std::string(text.substr(1, close - 1));
  try {  // the escapes of a basic TOML string are JSON's, but for \U and eight digits
    return nlohmann::json::parse(text.substr(0, close + 1)).get<std::string>();
  } catch (const nlohmann::json::exception&) {
    refuse(place, "wrong escape in " + std::string(text.substr(0, close + 1)) +
                      "; use 'single quotes' for backslashes");
  }
}

std::string value_of(std::string_view text, const Place& place) {
  if (!text.empty() && (text[0] == '"' || text[0] == '\'')) return quoted_value(text, place);
  const std::string_view word = trimmed_text(text.substr(0, text.find('#')));
  const bool is_number =
      !word.empty() && (std::isdigit(static_cast<unsigned char>(word[0])) || word[0] == '-');
  if (!is_number && word != "true" && word != "false")
    refuse(place, "expected \"text\", a number, true or false, got '" + std::string(word) + "'");
  return std::string(word);
}

}  // namespace

std::vector<ConfigEntry> parse_config(const std::string& name, std::istream& input) {
  std::vector<ConfigEntry> entries;
  std::string text;
  for (std::size_t number = 1; std::getline(input, text); ++number) {
    const Place place{name, number};
    if (number == 1 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    const std::string_view line = trimmed_text(text);
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '[') refuse(place, "sections are not used; write keys only: steps = 20");
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      refuse(place, "expected key = value, got '" + std::string(line) + "'");
    std::string key(trimmed_text(line.substr(0, equals)));
    std::replace(key.begin(), key.end(), '_', '-');
    if (entries.size() == kMaxConfigEntries)
      refuse(place, "more than " + std::to_string(kMaxConfigEntries) + " keys (the limit)");
    for (const ConfigEntry& entry : entries)
      if (entry.key == key)
        refuse(place, key + " is given twice, first on line " + std::to_string(entry.line));
    entries.push_back({key, value_of(trimmed_text(line.substr(equals + 1)), place), number});
  }
  return entries;
}

std::vector<ConfigEntry> read_config(const std::string& path) {
  std::istringstream text(read_text(path, "config file " + path, kMaxBytes));
  return parse_config(path, text);
}

}  // namespace sdgen::cli
