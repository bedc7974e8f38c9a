#include "text/tokenizers/vocabularies.h"

#include <cstdlib>
#include <string>

#include "plain/errors.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

const char kFolder[] = "clip-tokenizer";
const char kQwenFolder[] = "qwen-tokenizer";

bool holds(const fs::path& folder, const char* name) {
  std::error_code ignored;
  return fs::exists(folder / name, ignored);
}

bool holds_vocabulary(const fs::path& folder) {
  return holds(folder, "vocab.json") && holds(folder, "merges.txt");
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

// The user's data folder, by the XDG Base Directory Specification; empty where there is no home.
fs::path data_folder() {
  const std::string data = environment("XDG_DATA_HOME"), home = environment("HOME");
  if (!data.empty()) return fs::path(data) / "sd-gen";
  return home.empty() ? fs::path() : fs::path(home) / ".local" / "share" / "sd-gen";
}

}  // namespace

fs::path find_clip_vocabulary(const std::vector<fs::path>& search_path) {
  const std::string remedy = "; run scripts/clip_vocabulary, which fetches it";
  if (const std::string named = environment("SDGEN_CLIP_VOCABULARY"); !named.empty()) {
    if (holds_vocabulary(named)) return named;
    fail_input("SDGEN_CLIP_VOCABULARY: ", named, " holds no vocab.json and merges.txt", remedy);
  }
  const fs::path data = data_folder();
  if (!data.empty() && holds_vocabulary(data / kFolder)) return data / kFolder;
  for (const fs::path& folder : search_path)
    if (holds_vocabulary(folder / kFolder)) return folder / kFolder;
  fail_input("CLIP's vocabulary is missing, which a single-file checkpoint does not carry: looked for ",
             data.empty() ? fs::path(kFolder).string() : (data / kFolder).string(), remedy);
}

fs::path find_qwen_tokenizer() {
  const auto holds_tokenizer = [](const fs::path& folder) {
    return holds(folder, "tokenizer.json") || holds_vocabulary(folder);
  };
  const fs::path data = data_folder();
  const std::string own = (data.empty() ? fs::path(kQwenFolder) : data / kQwenFolder).string();
  const std::string remedy =
      concat("; fetch it once: hf download Qwen/Qwen3-4B tokenizer.json --local-dir ", own);
  if (const std::string named = environment("SDGEN_QWEN_TOKENIZER"); !named.empty()) {
    if (holds_tokenizer(named)) return named;
    fail_input("SDGEN_QWEN_TOKENIZER: ", named, " holds no tokenizer.json", remedy);
  }
  if (holds_tokenizer(own)) return own;
  fail_input("Qwen3's tokenizer is missing, which a single file does not carry: looked for ", own, remedy);
}

}  // namespace sdgen
