// A line of a .jsonl prompt file: one object with the long flag names as keys.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/options/nearest.h"
#include "cli/options/prompt_line.h"
#include "plain/json_text.h"
#include "plain/utf8.h"

namespace sdgen::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxValues = 10'000;  // of one request: it has some fifty fields, its lists are short

json parse_object(std::string_view text, const PromptLine& line) {
  if (const std::string excess = json_excess(text, kMaxValues); !excess.empty())
    throw LineError{line.line, 1, "its JSON " + excess};
  json object;
  try {
    object = json::parse(text);
  } catch (const json::parse_error& error) {
    const std::string message = error.what();  // "[json.exception...] parse error at line 1, column 9: ..."
    const std::size_t cause = message.find(": ");
    const std::size_t offset = error.byte == 0 ? 0 : error.byte - 1;
    throw LineError{line.line, column_of(text, std::min(offset, text.size())),
                    "not JSON: " + (cause == std::string::npos ? message : message.substr(cause + 2))};
  } catch (const json::exception&) {  // a number beyond double
    throw LineError{line.line, 1, "not JSON: a number is out of range"};
  }
  if (!object.is_object())
    throw LineError{
        line.line, 1,
        "expected one object a line, {\"prompt\": \"...\"}, got " + std::string(object.type_name())};
  return object;
}

struct Key {
  std::string name;
  std::size_t at = 0;  // offset of its opening quote
};

// Offset behind the closing quote of the string that opens at `at`.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

// The outermost object's keys in their order, repeated ones too; `text` is known to be one valid object.
std::vector<Key> keys_of(std::string_view text) {
  std::vector<Key> keys;
  int depth = 0;
  bool is_key = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      const std::size_t end = string_end(text, at);
      if (depth == 1 && is_key)
        keys.push_back({json::parse(text.substr(at, end - at)).get<std::string>(), at});
      is_key = false;
      at = end - 1;
    } else if (c == '{' || c == '[') {
      is_key = ++depth == 1;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',') {
      is_key = depth == 1;
    }
  }
  return keys;
}

}  // namespace

void parse_json_line(std::string_view text, PromptLine& line) {
  const json object = parse_object(text, line);
  bool has_prompt = false;
  for (const Key& key : keys_of(text)) {
    const std::size_t column = column_of(text, key.at);
    const RequestField* field = find_field(key.name);
    if (!field)
      throw LineError{line.line, column,
                      "unknown key \"" + key.name + "\"" + hint_and_list(key.name, field_names(), "known")};
    has_prompt = has_prompt || field->name == "prompt";
    set_line_field(line, column, *field, key.name,
                   [&] { set_field(line.job, *field, key.name, object.at(key.name)); });
  }
  if (!has_prompt) throw LineError{line.line, 1, "no \"prompt\""};
}

}  // namespace sdgen::cli
