#include "text/tokenizers/clip_vocabulary.h"

#include <cstdlib>
#include <string>

#include "plain/errors.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

const char kFolder[] = "clip-tokenizer";

bool holds_vocabulary(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "vocab.json", ignored) && fs::exists(folder / "merges.txt", ignored);
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

}  // namespace sdgen
