// Reading a BPE vocabulary and its merges from the files of a tokenizer folder.
#include <cstdint>
#include <limits>
#include <sstream>
#include <unordered_map>

#include "base/input_file.h"
#include "text/tokenizers/bpe_model.h"
#include "text/tokenizers/tokenizer_settings.h"

namespace sdgen {
namespace {

constexpr std::size_t kMaxTokens = 1'000'000, kMaxMerges = 1'000'000;  // CLIP has 49,408 and 48,894
constexpr std::uint64_t kMaxMergesBytes = std::uint64_t{64} << 20;     // CLIP's has half a megabyte

void read_vocabulary(const std::filesystem::path& path, const Json& vocabulary, const std::string& key,
                     BpeTables& tables) {
  if (!vocabulary.is_object()) fail_input(path.string(), ": ", key, ": expected an object of token: id");
  if (vocabulary.empty()) fail_input(path.string(), ": ", key, ": the vocabulary is empty");
  if (vocabulary.size() > kMaxTokens)
    fail_input(path.string(), ": ", key, ": ", vocabulary.size(), " tokens are too many (limit ", kMaxTokens,
               ")");
  std::unordered_map<int, std::string> owners;
  for (const auto& [token, value] : vocabulary.items()) {
    // Above 2^63 the library holds an unsigned number, which int64 would turn negative: refused either way.
    const std::int64_t id = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    if (id < 0 || id >= std::numeric_limits<int>::max())
      fail_input(path.string(), ": ", key, ": token ", quoted_token(token), ": ", shown(value),
                 " is not a token id");
    const auto [owner, is_new] = owners.emplace(static_cast<int>(id), token);
    if (!is_new)
      fail_input(path.string(), ": ", key, ": tokens ", quoted_token(owner->second), " and ",
                 quoted_token(token), " have the same id ", id);
    tables.ids.emplace(token, static_cast<int>(id));
  }
}

void require_room(const BpeTables& tables) {
  if (tables.merges.size() == kMaxMerges)
    fail_input(tables.merges_path.string(), ": more than ", kMaxMerges, " merges (the limit)");
}

// Both halves of "a b".
std::pair<std::string, std::string> split_merge(const BpeTables& tables, const std::string& line,
                                                const std::string& place) {
  const auto space = line.find(' ');
  if (space == std::string::npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != std::string::npos)
    fail_input(tables.merges_path.string(), ": ", place, ": expected two words, got ", quoted_token(line));
  return {line.substr(0, space), line.substr(space + 1)};
}

// A merge is "a b" (tokenizers before 0.20) or ["a", "b"].
void read_json_merges(const Config& file, const Json& merges, BpeTables& tables) {
  if (!merges.is_array()) fail_input(file.path.string(), ": model.merges: expected a list");
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const Json& merge = merges[i];
    require_room(tables);
    if (merge.is_string()) {
      tables.merges.push_back(split_merge(tables, merge.get<std::string>(), tables.merge_place(i)));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      tables.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
    } else {
      fail_input(file.path.string(), ": ", tables.merge_place(i), ": expected two words, got ", shown(merge));
    }
  }
}

}  // namespace

std::string BpeTables::merge_place(std::size_t index) const {
  return merge_lines.empty() ? concat("model.merges[", index, "]") : concat("line ", merge_lines[index]);
}

BpeTables BpeTables::read_tokenizer_json(const Config& file, const std::string& end_of_word) {
  const std::string path = file.path.string();
  if (!file.has("model") || !file.json["model"].is_object())
    fail_input(path, ": key 'model' is missing or no object");
  const Json& model = file.json["model"];
  const auto text_of = [&](const char* key, const std::string& fallback) {
    const auto found = model.find(key);
    return found != model.end() && found->is_string() ? found->get<std::string>() : fallback;
  };
  if (const auto type = text_of("type", "BPE"); type != "BPE")
    fail_input(path, ": model.type: expected BPE, got ", quoted_token(type),
               " (a SentencePiece tokenizer is read from spiece.model)");
  if (const auto suffix = text_of("end_of_word_suffix", ""); suffix != end_of_word)
    fail_input(path, ": model.end_of_word_suffix: expected '", end_of_word, "' (",
               end_of_word.empty() ? "Qwen2" : "CLIP", "'s BPE), got ", quoted_token(suffix));
  for (const char* key : {"vocab", "merges"})
    if (!model.contains(key)) fail_input(path, ": key 'model.", key, "' is missing");
  BpeTables tables;
  tables.vocabulary_path = tables.merges_path = file.path;
  tables.end_of_word = end_of_word;
  read_vocabulary(file.path, model["vocab"], "model.vocab", tables);
  read_json_merges(file, model["merges"], tables);
  return tables;
}

BpeTables BpeTables::read_files(const std::filesystem::path& vocab, const std::filesystem::path& merges,
                                const std::string& end_of_word) {
  BpeTables tables;
  tables.end_of_word = end_of_word;
  tables.vocabulary_path = vocab;
  tables.merges_path = merges;
  read_vocabulary(vocab, read_json_file(vocab), "vocabulary", tables);
  std::istringstream in(read_input(merges, kMaxMergesBytes, "a file of merges"));
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.starts_with("#version")) continue;
    require_room(tables);
    tables.merges.push_back(split_merge(tables, line, concat("line ", number)));
    tables.merge_lines.push_back(number);
  }
  return tables;
}

BpeTables BpeTables::read(const std::filesystem::path& folder, const Config* file,
                          const std::string& end_of_word) {
  return file ? read_tokenizer_json(*file, end_of_word)
              : read_files(folder / "vocab.json", folder / "merges.txt", end_of_word);
}

}  // namespace sdgen
