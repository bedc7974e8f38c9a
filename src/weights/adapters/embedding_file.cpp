#include "weights/adapters/embedding_file.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/input_file.h"
#include "base/tensor.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxVectors = 1024;  // a text has 77 tokens
const std::string kLearned = "string_to_param.";

fs::path embedding_in(const fs::path& path) {
  if (!is_there(path)) fail_input(path.string(), ": no such embedding file");
  if (!is_folder(path)) return path;
  for (const char* name : {"learned_embeds.safetensors", "learned_embeds.bin"})
    if (is_there(path / name)) return path / name;
  fail_input(path.string(),
             ": holds no embedding; looked for learned_embeds.safetensors, learned_embeds.bin");
}

EmbeddingVectors read_vectors(const TensorSource& source, const std::string& key,
                              const std::string& component) {
  const TensorInfo& info = *source.find(key);
  const bool is_table = info.shape.size() == 1 || info.shape.size() == 2;
  if (!is_table || info.shape.front() < 1 || info.shape.back() < 1 ||
      (info.shape.size() == 2 && info.shape[0] > kMaxVectors))
    fail_input(info.file, ": tensor '", key, "': expected a vector or a few of them [n, D], found ",
               shape_text(info.shape));
  Tensor vectors = source.read(key).to(at::kFloat).reshape({-1, info.shape.back()}).clone();
  if (!is_finite(vectors))
    fail_input(info.file, ": tensor '", key, "' holds numbers that are not finite; the file is damaged");
  return {component, key, std::move(vectors)};
}

// Names that programs give to the vectors of a text encoder; of an unknown one they are left out.
constexpr std::array<std::pair<const char*, const char*>, 7> kEncoders = {
    {{"clip_l", "text_encoder"},
     {"clip_g", "text_encoder_2"},
     {"text_encoders_0", "text_encoder"},
     {"text_encoders_1", "text_encoder_2"},
     {"text_encoders_2", ""},
     {"t5", ""},
     {"t5xxl", ""}}};

// AUTOMATIC1111's and the first files: {"string_to_param": {WORD: vectors}, "name": ...}. The file's name of
// the word comes before the placeholder that it was trained by, which is "*" where it means nothing.
void read_learned(const TensorSource& source, const std::vector<std::string>& learned, EmbeddingFile& file) {
  if (learned.size() > 1)
    fail_input(file.path, ": holds vectors of ", learned.size(), " words, e.g. '", learned[0], "' and '",
               learned[1], "'; save each in a file of its own");
  const Metadata metadata = source.metadata();
  const auto name = metadata.find("name");
  const std::string placeholder = learned[0].substr(kLearned.size());
  if (name != metadata.end() && !name->second.empty())
    file.token = name->second;
  else if (placeholder != "*" && !placeholder.empty())
    file.token = placeholder;
  file.parts.push_back(read_vectors(source, learned[0], ""));
}

}  // namespace

EmbeddingFile read_embedding(const fs::path& path) {
  const fs::path opened = embedding_in(path);
  const auto source = open_weights_file(opened);
  const std::vector<std::string> keys = source->keys();
  // A folder of that name says more than learned_embeds.
  EmbeddingFile file{
      opened.string(), (opened == path ? path.stem() : fs::weakly_canonical(path).filename()).string(), {}};
  std::vector<std::string> learned;
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(learned),
               [](const std::string& key) { return key.starts_with(kLearned); });
  if (!learned.empty()) {
    read_learned(*source, learned, file);
    return file;
  }
  std::size_t known = 0;
  for (const auto& [key, component] : kEncoders) {
    if (!source->find(key)) continue;
    ++known;
    if (*component != '\0') file.parts.push_back(read_vectors(*source, key, component));
  }
  if (!file.parts.empty() && known == keys.size()) return file;
  if (keys.size() != 1 || known > 0)
    fail_input(file.path, ": ", keys.size(), " tensors, e.g. '", keys.empty() ? "" : keys.front(),
               "'; not an embedding (one tensor, string_to_param, or clip_l and clip_g)");
  // A tensor without a name, or with a program's own for it.
  const std::string& only = keys.front();
  if (!only.empty() && only != "emb_params" && only != "string_to_param") file.token = only;
  file.parts.push_back(read_vectors(*source, only, ""));
  return file;
}

}  // namespace sdgen
