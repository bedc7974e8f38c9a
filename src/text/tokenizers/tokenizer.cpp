#include "text/tokenizers/tokenizer.h"

#include "plain/errors.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/sentencepiece_tokenizer.h"

namespace sdgen {

std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& folder,
                                          const std::vector<NewWord>& new_words) {
  std::error_code ignored;
  const auto holds = [&](const char* name) { return std::filesystem::exists(folder / name, ignored); };
  if (!std::filesystem::is_directory(folder, ignored))
    fail_input(folder.string(), ": no such tokenizer folder");
  if (holds("spiece.model") && !new_words.empty())
    fail_input(new_words.front().file, ": an embedding is for CLIP's tokenizer, ", folder.string(),
               " holds another");
  if (holds("spiece.model")) return std::make_unique<SentencePieceTokenizer>(folder);
  if (holds("tokenizer.json") || (holds("vocab.json") && holds("merges.txt")))
    return BpeTokenizer::open(folder, new_words);
  if (holds("vocab.json")) fail_input((folder / "merges.txt").string(), ": missing beside vocab.json");
  if (holds("merges.txt")) fail_input((folder / "vocab.json").string(), ": missing beside merges.txt");
  fail_input(folder.string(),
             ": no tokenizer found; looked for spiece.model, tokenizer.json, and vocab.json with merges.txt");
}

}  // namespace sdgen
