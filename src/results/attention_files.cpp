#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/input_file.h"
#include "image/animation.h"
#include "plain/errors.h"
#include "plain/unicode.h"
#include "results/attention_pictures.h"
#include "weights/formats/safetensors_write.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 32;                           // characters of a word in a file's name
constexpr std::uint64_t kMaxWordsBytes = std::uint64_t{16} << 20;  // of words.json
constexpr int kFrameMs = 150, kLastFrameMs = 1500;

const char* kind_name(PromptWord::Kind kind) {
  switch (kind) {
    case PromptWord::Kind::kWord:
      return "word";
    case PromptWord::Kind::kPunctuation:
      return "punctuation";
    case PromptWord::Kind::kStart:
      return "start";
    case PromptWord::Kind::kEnd:
      return "end";
    case PromptWord::Kind::kPadding:
      return "padding";
  }
  return "";
}

// "03-apple.png"
std::string file_name(const AttentionMaps& maps, std::size_t word) {
  std::string name = std::to_string(word);
  name.insert(0, name.size() < 2 ? 1 : 0, '0');
  const PromptWord& of = maps.words[word];
  const Text text = decode_utf8(of.kind == PromptWord::Kind::kWord ? of.text : kind_name(of.kind));
  name += '-';
  for (std::size_t i = 0; i < std::min(text.size(), kLongestName); ++i)
    if (is_letter(text.chars[i]) || is_number(text.chars[i])) append_utf8(text.chars[i], name);
  return name + ".png";
}

Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
}

std::vector<std::uint8_t> numbers_file(const Request& request, const AttentionMaps& maps) {
  std::vector<std::pair<std::string, Tensor>> tensors = {
      {"token_maps", tensor_of(maps.token_maps, {maps.tokens, maps.height, maps.width})}};
  for (const AttentionSteps& steps : maps.steps)
    tensors.emplace_back(concat("maps_", steps.height, "x", steps.width),
                         tensor_of(steps.maps, {maps.evaluations, maps.tokens, steps.height, steps.width}));
  return encode_safetensors(tensors, {{"prompt", request.prompt}});
}

nlohmann::ordered_json words_json(const Request& request, const AttentionMaps& maps) {
  nlohmann::ordered_json json;
  json["prompt"] = request.prompt;
  json["tokens"] = maps.tokens;
  json["height"] = maps.height;
  json["width"] = maps.width;
  json["evaluations"] = maps.evaluations;
  for (const AttentionSteps& steps : maps.steps)
    json["resolutions"].push_back(
        {{"height", steps.height}, {"width", steps.width}, {"layers", steps.layers}});
  json["words"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < maps.words.size(); ++i) {
    const PromptWord& word = maps.words[i];
    const WordHeat heat = word_heat(maps, i);
    nlohmann::ordered_json& entry = json["words"].emplace_back();
    entry["text"] = word.text;
    entry["kind"] = kind_name(word.kind);
    entry["begin"] = word.begin;
    entry["end"] = word.end;
    entry["tokens"] = word.tokens;
    entry["share"] = heat.share;
    entry["highest"] = heat.highest;
    if (!word.tokens.empty()) entry["file"] = file_name(maps, i);
  }
  return json;
}

std::vector<std::uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

// A name that file_name() could have made: two digits or more, '-', letters and numbers, ".png".
bool is_word_picture(const std::string& name) {
  const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
  if (digits < 2 || !name.ends_with(".png") || name.size() < digits + 5 || name[digits] != '-') return false;
  const std::string word = name.substr(digits + 1, name.size() - digits - 5);
  const Text text = decode_utf8(word);
  return text.size() <= kLongestName && std::all_of(text.chars.begin(), text.chars.end(),
                                                    [](char32_t c) { return is_letter(c) || is_number(c); });
}

void remove_file(const fs::path& path) {
  std::error_code ignored;
  if (fs::symlink_status(path, ignored).type() == fs::file_type::regular) fs::remove(path, ignored);
}

// What an earlier run with other words left. words.json may be anybody's: of the files that it lists only
// those go whose names are ours.
void remove_earlier(const fs::path& folder) {
  nlohmann::json json;
  try {
    const std::string text = read_input(folder / "words.json", kMaxWordsBytes, "a list of words");
    json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  } catch (const Error&) {
    // None there, or not ours.
  }
  if (const auto words = json.find("words"); json.is_object() && words != json.end() && words->is_array())
    for (const auto& word : *words) {
      if (!word.is_object() || !word.contains("file")) continue;
      const auto* const name = word["file"].get_ptr<const std::string*>();
      if (name && is_word_picture(*name)) remove_file(folder / *name);
    }
  for (const char* name : {"film.png", "steps.png"}) remove_file(folder / name);
}

}  // namespace

void write_attention(const fs::path& folder, const Request& request, const Image& picture,
                     const AttentionMaps& maps, const std::vector<Image>& previews, bool overwrite) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_working(folder.string(), ": the folder cannot be made: ", error.message());
  if (overwrite) remove_earlier(folder);
  const auto write = [&](const std::string& name, const std::vector<std::uint8_t>& bytes) {
    write_file_atomically(folder / name, bytes, overwrite);
  };
  write("attention.safetensors", numbers_file(request, maps));
  const auto dumped = words_json(request, maps).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  write("words.json", bytes_of(dumped + "\n"));
  for (std::size_t word = 0; word < maps.words.size(); ++word) {
    if (maps.words[word].tokens.empty()) continue;
    const WordHeat heat = word_heat(maps, word);
    write(file_name(maps, word), encode_png(heat_overlay(picture, heat.map, heat.highest), {}));
  }
  write("panel.png", encode_png(attention_panel(picture, maps, request.prompt), {}));
  if (maps.steps.empty() || shown_words(maps).empty()) return;
  write("film.png", encode_png(attention_film(maps, request.prompt), {}));
  const std::vector<Image> frames = attention_frames(picture, maps, previews, request.prompt);
  write("steps.png", encode_animation(frames, kFrameMs, kLastFrameMs));
}

}  // namespace sdgen
