// Tokenizer files, and texts to encode.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "fuzz/targets.h"
#include "text/prompt_words.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/qwen2_tokenizer.h"
#include "text/tokenizers/sentencepiece_model.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen::fuzz {
namespace {

namespace fs = std::filesystem;

const std::string kText = "a cat <|endoftext|> it's \xC3\xA9 zz \xE4\xB8\x80";
const fs::path kTokenizer = fs::path(SDGEN_GOLDEN_DIR) / "pipelines/sd15-tiny/tokenizer";
const fs::path kQwen2Tokenizer = fs::path(SDGEN_GOLDEN_DIR) / "qwen2_tokens/files";

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

void parse_qwen2_json(std::string_view bytes) {
  scratch_file("tokenizer-qwen2/tokenizer.json", bytes);
  Qwen2Tokenizer::open(scratch_folder() / "tokenizer-qwen2").encode(kText);
}

void parse_encoded_by_qwen2(std::string_view bytes) {
  static const auto tokenizer = Qwen2Tokenizer::open(kQwen2Tokenizer);
  std::size_t begin = 0;
  for (const TextToken& token : tokenizer.encode(std::string(bytes))) {
    if (token.begin < begin || token.end <= token.begin || token.end > bytes.size()) std::abort();
    begin = token.begin;
  }
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
          {"qwen2_json", parse_qwen2_json},
          {"qwen2_encode", parse_encoded_by_qwen2},
          {"spiece", parse_spiece}};
}

}  // namespace sdgen::fuzz
