#include "cli/options/adapter_path.h"

#include <optional>

#include "cli/options/nearest.h"
#include "cli/options/values.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

bool is_present(const fs::path& path) {
  std::error_code ignored;  // a link that leads nowhere is there: opening it says so
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

std::optional<fs::path> find_below(const fs::path& folder, const std::string& name) {
  for (const char* extension : {"", ".safetensors", ".pt", ".bin"})
    if (const fs::path path = folder / (name + extension); is_present(path)) return path;
  return std::nullopt;
}

struct Place {
  const char* what;
  const char* folder;
};

std::optional<fs::path> find_file(const std::string& name, const Place& place,
                                  const std::vector<fs::path>& folders) {
  if (name.empty()) return std::nullopt;
  if (is_present(name)) return name;
  if (name.find('/') != std::string::npos) return std::nullopt;
  for (const fs::path& folder : folders) {
    if (const auto found = find_below(folder / place.folder, name)) return found;
    if (const auto found = find_below(folder, name)) return found;
  }
  return std::nullopt;
}

[[noreturn]] void fail_missing(const std::string& name, const Place& place,
                               const std::vector<fs::path>& folders) {
  std::vector<std::string> shown;
  for (const fs::path& folder : folders) shown.push_back((folder / place.folder).string());
  const bool is_path = name.find('/') != std::string::npos;
  throw Error(ErrorKind::kInput, is_path
                                     ? name + ": no such " + place.what + " file"
                                     : std::string("no ") + place.what + " '" + name + "'; looked here, in " +
                                           comma_list(shown) + " and above (SDGEN_MODELS adds folders)");
}

std::optional<double> number_of(const std::string& text) {
  try {
    double number = 0;
    parse_value("scale", text, number);
    return number;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// "name:rest"; the whole text where there is no colon with something before it.
struct Split {
  std::string name;
  std::optional<std::string> rest;
};

Split split_scale(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return {text, std::nullopt};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Adapter read_lora_flag(const std::string& text, const std::vector<fs::path>& folders) {
  const Place place{"LoRA", "loras"};
  if (const auto whole = find_file(text, place, folders)) return {*whole, 1.0};
  const auto [name, rest] = split_scale(text);
  const auto scale = rest ? number_of(*rest) : std::nullopt;
  const auto found = find_file(rest ? name : text, place, folders);
  if (found && scale) return {*found, *scale};
  if (found)
    throw Error(ErrorKind::kRequest,
                "--lora: expected FILE:SCALE with a number behind the colon, got '" + text + "'");
  fail_missing(scale ? name : text, place, folders);
}

Embedding read_embedding_flag(const std::string& text, const std::vector<fs::path>& folders) {
  const Place place{"embedding", "embeddings"};
  if (const auto whole = find_file(text, place, folders)) return {*whole, ""};
  const auto [name, rest] = split_scale(text);
  const auto found = rest ? find_file(name, place, folders) : std::nullopt;
  if (!found) fail_missing(text, place, folders);
  if (rest->empty())
    throw Error(ErrorKind::kRequest,
                "--embedding: expected FILE:TOKEN with a word behind the colon, got '" + text + "'");
  return {*found, *rest};
}

}  // namespace sdgen::cli
