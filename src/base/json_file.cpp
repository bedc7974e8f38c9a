#include "base/json_file.h"

#include <algorithm>

#include "base/input_file.h"
#include "plain/json_text.h"

namespace sdgen {
namespace {

// What Python's json writes for floats that JSON has no word for becomes null.
std::string without_bare_infinities(const std::string& text) {
  constexpr std::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto is_here = [&](std::string_view word) { return text.compare(at, word.size(), word) == 0; };
    const auto* const word =
        in_string ? std::end(kWords) : std::find_if(std::begin(kWords), std::end(kWords), is_here);
    if (word != std::end(kWords)) {
      out += "null";
      at += word->size();
      continue;
    }
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\' && at + 1 < text.size()) out += text[at++];
    out += text[at++];
  }
  return out;
}

}  // namespace

Json read_json_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::string text = read_input(path, max_bytes, "a JSON file");
  // Most files have none, and are not copied.
  if (text.find("NaN") != std::string::npos || text.find("Infinity") != std::string::npos)
    text = without_bare_infinities(text);
  return parse_json(text, path.string());
}

Json parse_json(std::string_view text, const std::string& where) {
  if (const std::string excess = json_excess(text, kMaxJsonValues); !excess.empty())
    fail_input(where, ": its JSON ", excess);
  try {
    return Json::parse(text);
  } catch (const Json::out_of_range&) {
    fail_input(where, ": not JSON: a number is out of range");
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string what = error.what();
    const auto begin = what.find("parse error");
    fail_input(where, ": not JSON: ", what.substr(begin == std::string::npos ? 0 : begin).substr(0, 200));
  }
}

std::string shown(const Json& value) {
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return value.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 80);
}

Config Config::read(const std::filesystem::path& path) {
  Config config{path, read_json_file(path)};
  if (!config.json.is_object()) fail_input(path.string(), ": expected a JSON object");
  return config;
}

}  // namespace sdgen
