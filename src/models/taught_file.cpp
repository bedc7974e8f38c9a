#include "models/taught_file.h"

#include <algorithm>

#include "base/config_range.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

constexpr Range kKinds{0, 1000};
constexpr Range kPixels{8, 65536};

const Json& list_at(const Config& defaults, const std::string& key, const Json& list, const char* of) {
  if (!list.is_array()) fail_input(defaults.path.string(), ": key '", key, "': expected a list of ", of);
  return list;
}

std::vector<std::string> words_at(const Config& defaults, const std::string& key, const Json& list) {
  std::vector<std::string> words;
  for (const Json& word : list_at(defaults, key, list, "words")) {
    if (!word.is_string()) fail_input(defaults.path.string(), ": key '", key, "': expected a list of words");
    words.push_back(folded_word(word.get<std::string>()));
  }
  return words;
}

std::set<std::string> words_of(const Config& defaults, const std::string& key) {
  if (!defaults.has(key)) return {};
  const std::vector<std::string> words = words_at(defaults, key, defaults.json.at(key));
  return {words.begin(), words.end()};
}

// {"cat": ["cat", "cats", "kitty"]}
void read_things(const Config& defaults, Taught& taught) {
  if (!defaults.has("things")) return;
  const Json& things = defaults.json.at("things");
  if (!things.is_object())
    fail_input(defaults.path.string(), ": key 'things': expected the names of each thing by the thing");
  for (const auto& item : things.items()) {
    for (const std::string& name : words_at(defaults, "things", item.value())) {
      std::vector<std::string> words;
      for (const PromptWord& word : prompt_words(name)) words.push_back(folded_word(word.text));
      if (!words.empty()) taught.things.emplace(std::move(words), folded_word(item.key()));
    }
  }
}

// [[128, 128], [192, 128]]
void read_sizes(const Config& defaults, Taught& taught) {
  if (!defaults.has("sizes")) return;
  for (const Json& size : list_at(defaults, "sizes", defaults.json.at("sizes"), "[width, height]")) {
    if (!size.is_array() || size.size() != 2)
      fail_input(defaults.path.string(), ": key 'sizes': expected a list of [width, height]");
    const Config sides{defaults.path, Json{{"sizes", size[0]}, {"sizes, height", size[1]}}};
    taught.sizes.emplace_back(static_cast<int>(whole_number(sides, "sizes", kPixels)),
                              static_cast<int>(whole_number(sides, "sizes, height", kPixels)));
  }
}

}  // namespace

Taught read_taught(const Config& defaults) {
  Taught taught;
  taught.words = words_of(defaults, "words");
  taught.coloured = words_of(defaults, "coloured");
  taught.colours = words_of(defaults, "colours");
  taught.too_many = words_of(defaults, "too_many");
  taught.most_of_a_kind = static_cast<int>(whole_number(defaults, "most_of_a_kind", kKinds, 0));
  taught.most_kinds = static_cast<int>(whole_number(defaults, "most_kinds", kKinds, 0));
  taught.untaught_signs = defaults.value("untaught_signs", std::string());
  read_things(defaults, taught);
  read_sizes(defaults, taught);
  return taught;
}

}  // namespace sdgen
