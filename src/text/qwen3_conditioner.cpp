#include "text/qwen3_conditioner.h"

#include <algorithm>

#include "plain/unicode.h"
#include "text/prompt_words.h"
#include "text/tokenizers/tokenizer_window.h"

namespace sdgen {
namespace {

std::size_t shared_bytes(const TextToken& token, const PromptWord& word) {
  const std::size_t begin = std::max(token.begin, word.begin), end = std::min(token.end, word.end);
  return end > begin ? end - begin : 0;
}

// A token is a row of the word that it has most bytes of: ",red" is red's. White space is no word's.
void assign_rows(const std::vector<TextToken>& tokens, std::size_t first_row,
                 std::vector<PromptWord>& words) {
  auto from = words.begin();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    while (from != words.end() && from->end <= tokens[i].begin) ++from;
    auto most = from;
    for (auto word = from; word != words.end() && word->begin < tokens[i].end; ++word)
      if (shared_bytes(tokens[i], *word) > shared_bytes(tokens[i], *most)) most = word;
    if (most != words.end() && shared_bytes(tokens[i], *most) > 0)
      most->tokens.push_back(static_cast<int>(first_row + i));
  }
}

void add_around(PromptWord::Kind kind, std::size_t place, std::size_t first, std::size_t end,
                std::vector<PromptWord>& words) {
  if (first >= end) return;
  PromptWord word{kind, "", place, place};
  for (std::size_t row = first; row < end; ++row) word.tokens.push_back(static_cast<int>(row));
  words.push_back(std::move(word));
}

// The tokens of a chat, cut and padded, and where in it the prompt stands.
struct Chat {
  std::vector<TextToken> tokens;  // bytes of the prompt, where they are of it
  std::size_t first = 0;          // token of the prompt
  std::size_t end = 0;            // behind the prompt's last token
  std::size_t rows = 0;           // tokens and padding
  std::string dropped;
};

Chat read_chat(const Qwen2Tokenizer& tokenizer, const Qwen3Reading& reading, const std::string& prompt) {
  Chat chat;
  const std::size_t begin = reading.before.size(), end = begin + prompt.size();  // bytes of the chat
  // One more than there is room for tells where the text is cut.
  chat.tokens = tokenizer.encode(reading.before + prompt + reading.after, reading.max_tokens + 1);
  if (chat.tokens.size() > reading.max_tokens) {
    if (const std::size_t cut = chat.tokens.back().begin; cut < end)
      chat.dropped = dropped_text(decode_utf8(prompt), std::max(cut, begin) - begin);
    chat.tokens.pop_back();
  }
  const auto behind = [&](std::size_t byte) {  // tokens that begin before it
    const auto found = std::find_if(chat.tokens.begin(), chat.tokens.end(),
                                    [&](const TextToken& token) { return token.begin >= byte; });
    return static_cast<std::size_t>(found - chat.tokens.begin());
  };
  chat.first = behind(begin), chat.end = behind(end);
  for (TextToken& token : chat.tokens) {
    token.begin = std::max(token.begin, begin) - begin;
    token.end = std::max(token.end, begin) - begin;
  }
  chat.rows = reading.keeps_padding ? reading.max_tokens : chat.tokens.size();
  return chat;
}

std::vector<PromptWord> words_of(const std::string& prompt, const Chat& chat) {
  std::vector<PromptWord> words = prompt_words(prompt);
  const auto at = [&](std::size_t i) { return chat.tokens.begin() + static_cast<std::ptrdiff_t>(i); };
  assign_rows({at(chat.first), at(chat.end)}, chat.first, words);
  add_around(PromptWord::Kind::kStart, 0, 0, chat.first, words);
  add_around(PromptWord::Kind::kEnd, prompt.size(), chat.end, chat.tokens.size(), words);
  add_around(PromptWord::Kind::kPadding, prompt.size(), chat.tokens.size(), chat.rows, words);
  return words;
}

}  // namespace

EncodedText Qwen3Conditioner::encode(const TextToEncode& text) const {
  if (text.clip_skip != 0)
    fail_request("clip_skip ", text.clip_skip, ": the model's text encoder is no CLIP; leave it out");
  Chat chat = read_chat(tokenizer_, reading_, text.text);
  std::vector<std::int64_t> ids(chat.rows, tokenizer_.pad_id());
  for (std::size_t i = 0; i < chat.tokens.size(); ++i) ids[i] = chat.tokens[i].id;
  Tensor mask;  // [1, L]
  if (chat.tokens.size() < chat.rows) {
    mask = at::zeros({1, static_cast<std::int64_t>(chat.rows)}, at::kLong);
    mask.narrow(1, 0, static_cast<std::int64_t>(chat.tokens.size())).fill_(1);
  }
  const std::vector<Tensor> states = encoder_(at::tensor(ids, at::kLong).unsqueeze(0), mask);
  EncodedText encoded;
  encoded.hidden = states.size() == 1 ? states.front() : at::cat(states, -1);
  encoded.words = words_of(text.text, chat);
  encoded.dropped = std::move(chat.dropped);
  return encoded;
}

}  // namespace sdgen
