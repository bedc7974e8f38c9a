// Byte-pair encoding of one word (Sennrich et al. 2016), over bytes (GPT-2's alphabet), with a suffix that
// marks the end of a word (CLIP) or without (Qwen2). Follows the BPE model of Hugging Face's tokenizers.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/json_file.h"

namespace sdgen {

// The vocabulary and the merges, first merge first, as a folder states them.
struct BpeTables {
  std::filesystem::path vocabulary_path;  // for messages
  std::filesystem::path merges_path;
  std::unordered_map<std::string, int> ids;
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<std::size_t> merge_lines;  // of merges.txt, for messages; empty where the merges are JSON
  std::string end_of_word;               // follows the last byte of a word; "</w>" for CLIP, else empty

  // "line 12" or "model.merges[11]"
  std::string merge_place(std::size_t index) const;

  // tokenizer.json of Hugging Face's tokenizers. Throws Error(kInput) if its model is no BPE with this
  // `end_of_word`, and as read_files does.
  static BpeTables read_tokenizer_json(const Config& file, const std::string& end_of_word);

  // vocab.json and merges.txt. Throws Error(kInput) naming the file and the token or line: ids that repeat,
  // are negative or too large, an empty vocabulary, a merge that is not two words.
  static BpeTables read_files(const std::filesystem::path& vocab, const std::filesystem::path& merges,
                              const std::string& end_of_word);

  // Reads tokenizer.json (`file`) or, where it is null, the two files of `folder`.
  static BpeTables read(const std::filesystem::path& folder, const Config* file,
                        const std::string& end_of_word);
};

// One symbol of an encoded word.
struct BpeSymbol {
  int id;
  std::size_t begin;  // first byte in the word
};

class BpeModel {
 public:
  // Throws Error(kInput) where a merge's halves or its result are not in the vocabulary; without an
  // `unknown_id` also where a byte is not.
  BpeModel(const BpeTables& tables, std::optional<int> unknown_id);

  std::optional<int> id(const std::string& token) const;
  bool has_id(int id) const;
  int next_free_id() const { return next_free_id_; }

  // Appends the symbols of `word` (UTF-8, not empty). Bytes without a symbol become the unknown token. The
  // time is n log n in the bytes of the word.
  void encode(std::string_view word, std::vector<BpeSymbol>& out) const;

 private:
  struct Merge {
    int rank;
    int id;
  };
  void add_merges(const BpeTables& tables);
  const Merge* merge(int left, int right) const;

  std::unordered_map<std::string, int> ids_;
  std::unordered_set<int> taken_ids_;
  std::unordered_map<std::uint64_t, Merge> merges_;  // (left id << 32 | right id)
  std::array<int, 256> byte_ids_;                    // of each byte inside a word
  std::array<int, 256> last_byte_ids_;               // of each byte at its end
  int next_free_id_ = 0;
};

}  // namespace sdgen
