// What a tokenizer folder's configuration files say about special tokens and lengths, read as transformers 5
// does.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "text/tokenizers/tokenizer_added_tokens.h"

namespace sdgen {

// Model lengths above this mean "no limit" in transformers' files (1e30).
constexpr double kLongestModel = 1e6;
constexpr int kDefaultModelMaxLength = 77;

struct TokenizerSettings {
  std::filesystem::path path;        // tokenizer_config.json, for messages; it need not exist
  std::filesystem::path added_path;  // the file that lists added tokens, for messages
  int model_max_length = kDefaultModelMaxLength;
  std::map<std::string, AddedToken> named;                // bos_token, eos_token, unk_token, pad_token, ...
  std::map<std::string, std::filesystem::path> named_in;  // the file that names each
  std::vector<AddedToken> added;  // every added token in the reference's order; a later one wins

  // Reads tokenizer_config.json and, unless that lists added_tokens_decoder itself, special_tokens_map.json,
  // added_tokens.json and the `added_tokens` of tokenizer.json (`tokenizer_json`, null if there is none).
  // `defaults`: the special tokens that the tokenizer's class takes where the files name none.
  // Throws Error(kInput) naming file and key where a value has another type or a token has a bad id.
  static TokenizerSettings read(const std::filesystem::path& folder, const Config* tokenizer_json,
                                const std::map<std::string, std::string>& defaults);
};

// `token` for a message: in quotes, on one line, at most 80 bytes.
std::string quoted_token(const std::string& token);

// Looks `token` up; nullopt if the vocabulary has no such token.
using TokenId = std::function<std::optional<int>(const std::string& token)>;

// settings.added, each token once with the flags of its last mention, and with an id: the vocabulary's, else
// its own, else the next one from `next_free_id` on. Throws Error(kInput) where a token's own id belongs to
// another token.
std::vector<AddedToken> resolve_added_tokens(const TokenizerSettings& settings, const TokenId& token_id,
                                             const std::function<bool(int)>& id_taken, int next_free_id);

// The id of settings.named[key]; Error(kInput) naming the key if neither vocabulary nor added tokens have it.
int special_token_id(const TokenizerSettings& settings, const std::string& key, const TokenId& token_id);

}  // namespace sdgen
