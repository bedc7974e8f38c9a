#include "weights/model_files.h"

#include <utility>
#include <vector>

#include "base/input_file.h"
#include "plain/errors.h"
#include "weights/formats/safetensors.h"
#include "weights/formats/weights_file.h"

namespace sdgen {

namespace {

namespace fs = std::filesystem;

// The first of STEM.safetensors, its shards, and the same as fp16 or bf16; nullptr if there is none.
std::shared_ptr<const TensorSource> open_variant(const fs::path& folder, const std::string& stem,
                                                 const std::string& extension,
                                                 std::vector<std::string>& looked_for) {
  for (const std::string variant : {"", ".fp16", ".bf16"}) {
    const std::string file = stem + variant + extension;
    // diffusers writes the variant before `.json`, transformers before `.safetensors`.
    const std::vector<std::string> indices = {stem + extension + ".index" + variant + ".json",
                                              file + ".index.json"};
    if (is_there(folder / file)) return open_weights_file(folder / file);
    for (const std::string& index : indices)
      if (is_there(folder / index)) return open_safetensors_shards(folder / index);
    looked_for.insert(looked_for.end(), {file, indices[0]});
  }
  return nullptr;
}

}  // namespace

std::shared_ptr<const TensorSource> open_model_files(const fs::path& folder, const std::string& stem) {
  if (!is_folder(folder)) fail_input(folder.string(), ": no such folder; the model lacks this component");
  std::vector<std::string> looked_for;
  if (auto found = open_variant(folder, stem, ".safetensors", looked_for)) return found;
  // PyTorch's pickles are read without running what may be in them.
  const std::string pickled = stem == "model" ? "pytorch_model" : stem;
  if (auto found = open_variant(folder, pickled, ".bin", looked_for)) return found;
  fail_input(folder.string(), ": holds no weights; looked for ", join(looked_for));
}

std::string current_clip_name(const std::string& key) {
  const std::string prefix = "text_model.";
  return key.rfind(prefix, 0) == 0 ? key.substr(prefix.size()) : key;
}

std::string current_vae_name(const std::string& key) {
  if (key.find("attentions.") == std::string::npos) return key;
  static const std::vector<std::pair<std::string, std::string>> kNames = {
      {".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."}};
  std::string current = key;
  for (const auto& [old_name, new_name] : kNames)
    if (const auto at = current.find(old_name); at != std::string::npos)
      current.replace(at, old_name.size(), new_name);
  return current;
}

}  // namespace sdgen
