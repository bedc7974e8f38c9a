#include "cli/options/model_list.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/options/model_path.h"
#include "sdgen/error.h"
#include "sdgen/hub_cache.h"
#include "sdgen/printable.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::json;

// Null where there is no such file or it is damaged: `sd-gen inspect` says what is wrong with it.
Json read_json(const fs::path& path) {
  std::ifstream file(path);
  return file ? Json::parse(file, nullptr, /*allow_exceptions=*/false) : Json();
}

std::uint64_t bytes_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return fs::file_size(path, error);
  std::uint64_t bytes = 0;
  for (fs::recursive_directory_iterator entry(path, fs::directory_options::follow_directory_symlink, error),
       end;
       !error && entry != end; entry.increment(error))
    if (std::error_code ignored; entry->is_regular_file(ignored)) bytes += entry->file_size(ignored);
  return bytes;
}

std::string size_text(std::uint64_t bytes) {
  char text[32];
  const double megabytes = static_cast<double>(bytes) / 1e6;
  std::snprintf(text, sizeof text, megabytes < 1000 ? "%.0f MB" : "%.1f GB",
                megabytes < 1000 ? megabytes : megabytes / 1000);
  return text;
}

std::string padded(std::string text, std::size_t columns) {
  text.resize(std::max(columns, text.size()), ' ');
  return text;
}

// A model's folder holds it; other folders with a model_index.json do not draw.
FoundModel found(const std::string& name, const fs::path& path) {
  FoundModel model{name, "", path, bytes_of(path)};
  std::error_code error;
  if (!fs::is_directory(path, error)) return model;
  const Json index = read_json(fs::path(hub_snapshot(path)) / "model_index.json");
  if (index.is_object()) model.family = index.value("_class_name", "");
  return model;
}

std::vector<std::string> texts_at(const Json& json, const char* key) {
  std::vector<std::string> texts;
  if (const auto list = json.find(key); list != json.end() && list->is_array())
    for (const Json& text : *list)
      if (text.is_string()) texts.push_back(printable(text.get<std::string>()));
  return texts;
}

// In columns, filled downwards.
std::string in_columns(const std::vector<std::string>& texts, std::size_t width) {
  std::size_t longest = 0;
  for (const std::string& text : texts) longest = std::max(longest, text.size());
  const std::size_t columns = std::max<std::size_t>(1, width / (longest + 2));
  const std::size_t rows = (texts.size() + columns - 1) / columns;
  std::string result;
  for (std::size_t row = 0; row < rows; ++row) {
    std::string line;
    for (std::size_t i = row; i < texts.size(); i += rows)
      line += i + rows < texts.size() ? padded(texts[i], longest + 2) : texts[i];
    result += line + "\n";
  }
  return result;
}

}  // namespace

std::vector<FoundModel> found_models(const std::vector<fs::path>& folders) {
  std::vector<FoundModel> models;
  const std::string chosen = chosen_model("");
  for (const std::string& name : model_names(folders)) {
    models.push_back(found(name, find_model(name, folders)));
    models.back().is_default = name == chosen;
  }
  return models;
}

std::string models_text(const std::vector<FoundModel>& models, const std::vector<fs::path>& folders,
                        bool json) {
  std::string text;
  std::size_t longest = 0, longest_family = 0;
  for (const FoundModel& model : models) {
    longest = std::max(longest, printable(model.name).size());
    longest_family = std::max(longest_family, model.family.size());
  }
  for (const FoundModel& model : models) {
    if (json) {
      const Json line = {{"name", model.name},
                         {"family", model.family},
                         {"path", model.path.string()},
                         {"bytes", model.bytes},
                         {"default", model.is_default}};
      text += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
      continue;
    }
    text += padded(printable(model.name), longest + 2) + padded(model.family, longest_family + 2) +
            size_text(model.bytes) + (model.is_default ? "  (the default)" : "") + "\n";
  }
  if (json) return text;
  if (models.empty()) text += "no models\n";
  text += "looked in:\n";
  for (const fs::path& folder : folders) text += "  " + printable(folder.string()) + "\n";
  return text + "SDGEN_MODELS adds folders (with : between them); -m takes a path, too\n";
}

std::string words_text(const std::string& name, const fs::path& model, std::size_t width) {
  const fs::path file = model / "sdgen.json";
  std::error_code error;
  if (!fs::exists(file, error))
    return printable(name) + " does not tell which words it was taught: any may be tried\n";
  const Json told = read_json(file);
  if (!told.is_object())
    throw Error(ErrorKind::kInput, file.string() + ": not a JSON object; the model's words cannot be told");
  std::vector<std::string> words = texts_at(told, "words");
  if (words.empty()) return printable(name) + " does not tell which words it was taught: any may be tried\n";
  std::sort(words.begin(), words.end());
  std::string text;
  const auto things = told.find("things");
  if (width == 0 || things == told.end() || !things->is_object()) {
    if (width > 0) return in_columns(words, width);
    for (const std::string& word : words) text += word + "\n";
    return text;
  }
  const std::vector<std::string> coloured_list = texts_at(told, "coloured");
  const std::set<std::string> coloured(coloured_list.begin(), coloured_list.end());
  std::vector<std::string> shown;
  for (const auto& thing : things->items())
    shown.push_back(printable(thing.key()) + (coloured.contains(thing.key()) ? "*" : ""));
  std::sort(shown.begin(), shown.end());
  return printable(name) + " was taught " + std::to_string(shown.size()) + " things (* takes a colour):\n\n" +
         in_columns(shown, width) + "\nsd-gen words " + printable(name) + " | cat lists all " +
         std::to_string(words.size()) + " words, one per line\n";
}

}  // namespace sdgen::cli
