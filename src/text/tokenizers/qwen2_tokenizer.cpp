#include "text/tokenizers/qwen2_tokenizer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "plain/unicode.h"
#include "text/tokenizers/qwen2_pieces.h"
#include "text/tokenizers/tokenizer_settings.h"

namespace sdgen {
namespace {

const std::map<std::string, std::string> kQwen2Tokens = {
    {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"}};

}  // namespace

// Text between added tokens.
struct Qwen2Tokenizer::Passage {
  Text text;                      // NFC
  std::vector<std::size_t> ends;  // of each character, the byte where what it was made from ends

  // chars[begin, end) of `raw`, which ends at byte `end_byte` there
  Passage(const Text& raw, std::size_t begin, std::size_t end, std::size_t end_byte)
      : text(raw.slice(begin, end)) {
    // Composing forgets the places of marks: not where there is nothing to compose.
    if (Text composed = normalize_nfc(text); composed.chars != text.chars) text = std::move(composed);
    ends.assign(text.size(), end_byte);
    for (std::size_t i = text.size(); i-- > 1;)
      ends[i - 1] = text.origin[i - 1] == text.origin[i] ? ends[i] : text.origin[i];
  }
};

Qwen2Tokenizer Qwen2Tokenizer::open(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto path = folder / "tokenizer.json";
  std::optional<Config> file;
  if (std::filesystem::exists(path, ignored)) file = Config::read(path);
  return {folder, file ? &*file : nullptr};
}

Qwen2Tokenizer::Qwen2Tokenizer(const std::filesystem::path& folder, const Config* tokenizer_json)
    : model_(BpeTables::read(folder, tokenizer_json, ""), std::nullopt) {
  TokenizerSettings settings = TokenizerSettings::read(folder, tokenizer_json, kQwen2Tokens);
  const std::vector<AddedToken> added = resolve_added_tokens(
      settings, [this](const std::string& token) { return model_.id(token); },
      [this](int id) { return model_.has_id(id); }, model_.next_free_id());
  for (const AddedToken& token : added) {
    const Text content = decode_utf8(token.content);
    if (token.normalized)
      normalized_tokens_.add(normalize_nfc(content).chars, *token.id, token);
    else
      raw_tokens_.add(content.chars, *token.id, token);
  }
  pad_id_ = special_token_id(settings, "pad_token", [&](const std::string& name) -> std::optional<int> {
    const auto found =
        std::find_if(added.begin(), added.end(), [&](const auto& token) { return token.content == name; });
    return found == added.end() ? std::nullopt : found->id;
  });
}

std::vector<TextToken> Qwen2Tokenizer::encode(const std::string& text, std::size_t most) const {
  const Text raw = decode_utf8(text);
  const auto byte = [&](std::size_t i) { return i < raw.size() ? raw.origin[i] : text.size(); };
  std::vector<TextToken> tokens;
  for (const Segment& segment : raw_tokens_.split(raw.chars)) {
    if (tokens.size() >= most) break;
    if (segment.id)
      tokens.push_back({*segment.id, byte(segment.begin), byte(segment.end)});
    else
      encode_passage({raw, segment.begin, segment.end, byte(segment.end)}, most, tokens);
  }
  if (tokens.size() > most) tokens.resize(most);
  return tokens;
}

void Qwen2Tokenizer::encode_passage(const Passage& passage, std::size_t most,
                                    std::vector<TextToken>& tokens) const {
  const std::u32string_view chars = passage.text.chars;
  for (const Segment& segment : normalized_tokens_.split(chars)) {
    if (segment.id) {
      tokens.push_back({*segment.id, passage.text.origin[segment.begin], passage.ends[segment.end - 1]});
      continue;
    }
    const std::u32string_view until = chars.substr(0, segment.end);
    for (std::size_t at = segment.begin; at < segment.end && tokens.size() < most;) {
      const std::size_t end = qwen2_piece_end(until, at);
      encode_piece(passage, at, end, tokens);
      at = end;
    }
  }
}

void Qwen2Tokenizer::encode_piece(const Passage& passage, std::size_t begin, std::size_t end,
                                  std::vector<TextToken>& tokens) const {
  std::string piece;
  std::vector<std::size_t> character;  // of each byte of `piece`
  for (std::size_t i = begin; i < end; ++i) {
    append_utf8(passage.text.chars[i], piece);
    character.resize(piece.size(), i);
  }
  std::vector<BpeSymbol> symbols;
  model_.encode(piece, symbols);
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::size_t last = (i + 1 < symbols.size() ? symbols[i + 1].begin : piece.size()) - 1;
    tokens.push_back(
        {symbols[i].id, passage.text.origin[character[symbols[i].begin]], passage.ends[character[last]]});
  }
}

}  // namespace sdgen
