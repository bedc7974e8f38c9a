#include "weights/adapters/embedding_file.h"

#include "base/input_file.h"
#include "base/tensor.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostVectors = 1024;  // a text has 77 tokens

fs::path file_of(const fs::path& path) {
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
      (info.shape.size() == 2 && info.shape[0] > kMostVectors))
    fail_input(info.file, ": tensor '", key, "': expected a vector or a few of them [n, D], found ",
               shape_text(info.shape));
  Tensor vectors = source.read(key).to(at::kFloat).reshape({-1, info.shape.back()}).clone();
  if (!is_finite(vectors))
    fail_input(info.file, ": tensor '", key, "' holds numbers that are not finite; the file is damaged");
  return {component, key, std::move(vectors)};
}

}  // namespace

EmbeddingFile read_embedding(const fs::path& path) {
  const fs::path opened = file_of(path);
  const auto source = open_weights_file(opened);
  const std::vector<std::string> keys = source->keys();
  // A folder of that name says more than learned_embeds.
  EmbeddingFile file{
      opened.string(), (opened == path ? path.stem() : fs::weakly_canonical(path).filename()).string(), {}};
  const std::string automatic = "string_to_param.*";
  if (source->find(automatic)) {
    const Metadata metadata = source->metadata();
    if (const auto name = metadata.find("name"); name != metadata.end() && !name->second.empty())
      file.token = name->second;
    file.parts.push_back(read_vectors(*source, automatic, ""));
    return file;
  }
  const std::vector<std::pair<std::string, std::string>> for_xl = {{"clip_l", "text_encoder"},
                                                                   {"clip_g", "text_encoder_2"}};
  for (const auto& [key, component] : for_xl)
    if (source->find(key)) file.parts.push_back(read_vectors(*source, key, component));
  if (!file.parts.empty() && file.parts.size() == keys.size()) return file;
  if (keys.size() != 1 || !file.parts.empty())
    fail_input(file.path, ": ", keys.size(), " tensors, e.g. '", keys.empty() ? "" : keys.front(),
               "'; not an embedding (one tensor, string_to_param, or clip_l and clip_g)");
  if (keys.front() != "emb_params") file.token = keys.front();
  file.parts.push_back(read_vectors(*source, keys.front(), ""));
  return file;
}

}  // namespace sdgen
