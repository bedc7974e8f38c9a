#include "text/tokenizers/bpe_tokenizer.h"

#include <map>
#include <set>
#include <string_view>

#include "plain/errors.h"
#include "plain/unicode.h"

namespace sdgen {
namespace {

Text normalize(const Text& text) {
  return to_lower(collapse_spaces(normalize_nfc(text)));
}

std::size_t class_run(std::u32string_view text, std::size_t begin, bool (*in_class)(char32_t)) {
  std::size_t end = begin;
  while (end < text.size() && in_class(text[end])) ++end;
  return end;
}

bool is_symbol(char32_t c) {
  return !is_space(c) && !is_letter(c) && !is_number(c);
}

std::size_t contraction_end(std::u32string_view text, std::size_t begin) {
  for (const std::u32string_view ending : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"})
    if (text.substr(begin, ending.size()) == ending) return begin + ending.size();
  return begin;
}

// The end of the word at `begin`, which is no white space: the reference's splitting expression
//   <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
// Its first two alternatives are words of their own, which GPT-2's expression (run after it) then splits in
// three;
// "<|" is all that has to be cut off here, the letters and the closing "|>" follow (see `marker_end`).
std::size_t word_end(std::u32string_view text, std::size_t begin) {
  if (const auto end = contraction_end(text, begin); end > begin) return end;
  if (is_letter(text[begin])) return class_run(text, begin, is_letter);
  if (is_number(text[begin])) return begin + 1;
  return class_run(text, begin, is_symbol);
}

// The end of a marker spelt out in the text, where it is not one of the folder's added tokens; 0 if there is
// none.
std::size_t marker_end(std::u32string_view text, std::size_t begin) {
  for (const std::u32string_view marker : {U"<|startoftext|>", U"<|endoftext|>"})
    if (text.substr(begin, marker.size()) == marker) return begin + marker.size();
  return 0;
}

const std::map<std::string, std::string> kClipTokens = {{"bos_token", "<|startoftext|>"},
                                                        {"eos_token", "<|endoftext|>"},
                                                        {"unk_token", "<|endoftext|>"},
                                                        {"pad_token", "<|endoftext|>"}};

int unknown_id(const BpeTables& tables, const TokenizerSettings& settings) {
  return special_token_id(settings, "unk_token", [&](const std::string& token) {
    const auto found = tables.ids.find(token);
    return found == tables.ids.end() ? std::nullopt : std::optional<int>(found->second);
  });
}

}  // namespace

std::unique_ptr<BpeTokenizer> BpeTokenizer::open(const std::filesystem::path& folder,
                                                 const std::vector<NewWord>& new_words,
                                                 const std::string& pad_token) {
  std::error_code ignored;
  const auto path = folder / "tokenizer.json";
  std::optional<Config> file;
  if (std::filesystem::exists(path, ignored)) file = Config::read(path);
  const BpeTables tables = BpeTables::read(folder, file ? &*file : nullptr, "</w>");
  TokenizerSettings settings = TokenizerSettings::read(folder, file ? &*file : nullptr, kClipTokens);
  if (!pad_token.empty()) settings.named["pad_token"].content = pad_token;
  return std::unique_ptr<BpeTokenizer>(new BpeTokenizer(tables, settings, new_words));
}

BpeTokenizer::BpeTokenizer(const BpeTables& tables, const TokenizerSettings& settings,
                           const std::vector<NewWord>& new_words)
    : model_(tables, unknown_id(tables, settings)) {
  const TokenId token_id = [this](const std::string& token) { return model_.id(token); };
  const auto id_taken = [this](int id) { return model_.has_id(id); };
  const std::vector<AddedToken> added =
      resolve_added_tokens(settings, token_id, id_taken, model_.next_free_id());
  for (const AddedToken& token : added) {
    const Text content = decode_utf8(token.content);
    if (token.normalized)
      normalized_tokens_.add(normalize(content).chars, *token.id, token);
    else
      raw_tokens_.add(content.chars, *token.id, token);
  }
  window_.length = settings.model_max_length;
  window_.begin = special_token_id(settings, "bos_token", token_id);
  window_.end = special_token_id(settings, "eos_token", token_id);
  window_.pad = special_token_id(settings, "pad_token", token_id);
  add_words(new_words, added);
}

void BpeTokenizer::add_words(const std::vector<NewWord>& new_words, const std::vector<AddedToken>& added) {
  std::set<std::string> taken;
  for (const AddedToken& token : added) taken.insert(token.content);
  for (const NewWord& word : new_words) {
    for (int i = 0; i < word.tokens; ++i) {
      const std::string token = i == 0 ? word.token : word.token + "_" + std::to_string(i);
      const std::u32string content = normalize(decode_utf8(token)).chars;
      if (class_run(content, 0, is_space) == content.size())
        fail_input(word.file, ": the word ", quoted_token(token), " is empty; name another, FILE:TOKEN");
      if (model_.id(token) || !taken.insert(token).second)
        fail_input(word.file, ": the tokenizer has a token ", quoted_token(token),
                   " already; name the embedding otherwise, FILE:TOKEN");
      AddedToken rules;
      rules.content = token;
      rules.normalized = true;
      normalized_tokens_.add(content, word.first_id + i, rules);
    }
    // The reference looks a long word up by its text after normalising: one with capitals it never finds.
    if (word.tokens > 1 && encode_utf8(normalize(decode_utf8(word.token)).chars) == word.token)
      long_words_.emplace(word.first_id, word);
  }
}

Tokens BpeTokenizer::encode(const std::string& text) const {
  const Text raw = decode_utf8(text);
  std::vector<PlacedToken> tokens;
  encode_raw(text, raw, tokens);
  return fit_tokens(tokens, window_, raw);
}

void BpeTokenizer::encode_raw(const std::string& written, const Text& text,
                              std::vector<PlacedToken>& tokens) const {
  for (const Segment& outer : raw_tokens_.split(text.chars)) {
    if (full(tokens)) return;
    if (outer.id) {
      tokens.push_back({*outer.id, text.origin[outer.begin]});
      continue;
    }
    const Text normal = normalize(text.slice(outer.begin, outer.end));
    for (const Segment& inner : normalized_tokens_.split(normal.chars)) {
      if (full(tokens)) return;
      if (inner.id)
        append_added(*inner.id, normal.origin[inner.begin], written, tokens);
      else
        encode_words(normal.slice(inner.begin, inner.end), tokens);
    }
  }
}

void BpeTokenizer::append_added(int id, std::size_t origin, const std::string& written,
                                std::vector<PlacedToken>& tokens) const {
  tokens.push_back({id, origin});
  const auto word = long_words_.find(id);
  if (word == long_words_.end()) return;
  // In another case it stands for its first token alone: the reference replaces what is spelled as the name.
  const std::string& token = word->second.token;
  if (written.compare(origin, token.size(), token) != 0) return;
  for (int i = 1; i < word->second.tokens; ++i) tokens.push_back({id + i, origin});
}

void BpeTokenizer::encode_words(const Text& text, std::vector<PlacedToken>& tokens) const {
  std::size_t cut = 0;  // where a marker ends, which its last word must not run over
  for (std::size_t at = 0; at < text.size() && !full(tokens);) {
    if (is_space(text.chars[at])) {
      ++at;
      continue;
    }
    std::size_t end = 0;
    if (const auto marker = marker_end(text.chars, at)) {
      cut = marker;
      end = at + 2;
    } else {
      end = word_end(text.chars, at);
      if (at < cut && end > cut) end = cut;
    }
    encode_word(text, at, end, tokens);
    at = end;
  }
}

void BpeTokenizer::encode_word(const Text& text, std::size_t begin, std::size_t end,
                               std::vector<PlacedToken>& tokens) const {
  std::string word;
  std::vector<std::size_t> origin;  // of each byte of `word`
  for (std::size_t i = begin; i < end; ++i) {
    append_utf8(text.chars[i], word);
    origin.resize(word.size(), text.origin[i]);
  }
  std::vector<BpeSymbol> symbols;
  model_.encode(word, symbols);
  for (const BpeSymbol& symbol : symbols) tokens.push_back({symbol.id, origin[symbol.begin]});
}

}  // namespace sdgen
