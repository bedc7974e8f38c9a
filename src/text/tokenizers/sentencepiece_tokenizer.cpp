#include "text/tokenizers/sentencepiece_tokenizer.h"

#include "plain/errors.h"
#include "plain/unicode.h"
#include "text/tokenizers/tokenizer_settings.h"

namespace sdgen {
namespace {

const std::map<std::string, std::string> kT5Tokens = {
    {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(const std::filesystem::path& folder)
    : model_(open_sentencepiece_model(folder / "spiece.model")) {
  const TokenizerSettings settings = TokenizerSettings::read(folder, nullptr, kT5Tokens);
  const TokenId token_id = [&](const std::string& token) {
    const int id = model_->id(token);
    return model_->piece(id) == token ? std::optional<int>(id) : std::nullopt;
  };
  for (int id = 0; id < model_->size(); ++id)
    if (model_->is_control(id) || model_->is_unknown(id))
      control_pieces_.add(decode_utf8(model_->piece(id)).chars, id, {});
  window_.length = settings.model_max_length;
  window_.end = special_token_id(settings, "eos_token", token_id);
  window_.pad = special_token_id(settings, "pad_token", token_id);
}

Tokens SentencePieceTokenizer::encode(const std::string& text) const {
  const Text raw = decode_utf8(text);
  std::vector<PlacedToken> tokens;
  for (const Segment& segment : control_pieces_.split(raw.chars)) {
    if (tokens.size() > window_.words()) break;
    if (segment.id) {
      tokens.push_back({*segment.id, raw.origin[segment.begin]});
      continue;
    }
    const Text stretch = raw.slice(segment.begin, segment.end);
    const std::string utf8 = encode_utf8(stretch.chars);
    std::vector<std::size_t> origin;  // of each byte of `utf8`
    for (std::size_t i = 0; i < stretch.size(); ++i)
      origin.resize(origin.size() + encode_utf8(stretch.chars.substr(i, 1)).size(), stretch.origin[i]);
    for (const SentencePieceModel::Piece& piece : model_->encode(utf8))
      if (piece.begin < origin.size()) tokens.push_back({piece.id, origin[piece.begin]});
  }
  return fit_tokens(tokens, window_, raw);
}

}  // namespace sdgen
