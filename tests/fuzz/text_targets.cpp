// Tokenizer files, and texts to encode.
#include <fstream>
#include <iterator>

#include "fuzz/targets.h"
#include "text/prompt_words.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/sentencepiece_model.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen::fuzz {
namespace {

namespace fs = std::filesystem;

const std::string kText = "a cat <|endoftext|> it's \xC3\xA9 zz \xE4\xB8\x80";
const fs::path kTokenizer = fs::path(SDGEN_GOLDEN_DIR) / "pipelines/sd15-tiny/tokenizer";

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The golden tokenizer with the file `name` as `bytes` have it.
void parse_tokenizer_file(const std::string& name, std::string_view bytes) {
  const std::string folder = "tokenizer-" + name + "/";
  for (const char* other : {"vocab.json", "merges.txt"})
    if (other != name && !fs::exists(scratch_folder() / folder / other))
      scratch_file(folder + other, bytes_of(kTokenizer / other));
  scratch_file(folder + name, bytes);
  BpeTokenizer::open(scratch_folder() / folder)->encode(kText);
}

void parse_encoded(std::string_view bytes) {
  static const auto tokenizer = BpeTokenizer::open(kTokenizer);
  const std::string text(bytes);
  prompt_words(text, tokenizer->encode(text));
}

void parse_spiece(std::string_view bytes) {
  open_sentencepiece_model(scratch_file("spiece.model", bytes))->encode(kText);
}

}  // namespace

std::vector<FuzzTarget> text_targets() {
  return {{"tokenizer_json", [](std::string_view bytes) { parse_tokenizer_file("tokenizer.json", bytes); }},
          {"tokenizer_config",
           [](std::string_view bytes) { parse_tokenizer_file("tokenizer_config.json", bytes); }},
          {"special_tokens",
           [](std::string_view bytes) { parse_tokenizer_file("special_tokens_map.json", bytes); }},
          {"vocabulary", [](std::string_view bytes) { parse_tokenizer_file("vocab.json", bytes); }},
          {"merges", [](std::string_view bytes) { parse_tokenizer_file("merges.txt", bytes); }},
          {"encode", parse_encoded},
          {"spiece", parse_spiece}};
}

}  // namespace sdgen::fuzz
