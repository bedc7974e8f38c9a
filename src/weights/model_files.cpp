#include "weights/model_files.h"

#include <utility>
#include <vector>

#include "base/errors.h"
#include "weights/safetensors.h"

namespace sdgen {

std::shared_ptr<const TensorSource> open_model_files(const std::filesystem::path& folder,
                                                     const std::string& stem) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(folder))
    fail_input(folder.string(), ": no such folder; the model lacks this component");
  std::vector<std::string> looked_for;
  for (const std::string variant : {"", ".fp16", ".bf16"}) {
    const std::string file = stem + variant + ".safetensors";
    // diffusers writes the variant before `.json`, transformers before `.safetensors`.
    const std::vector<std::string> indices = {stem + ".safetensors.index" + variant + ".json",
                                              file + ".index.json"};
    if (fs::exists(folder / file)) return open_safetensors(folder / file);
    for (const std::string& index : indices)
      if (fs::exists(folder / index)) return open_safetensors_shards(folder / index);
    looked_for.insert(looked_for.end(), {file, indices[0]});
  }
  std::string pickled;
  for (const std::string name : {"pytorch_model.bin", "diffusion_pytorch_model.bin"})
    if (fs::exists(folder / name))
      pickled = " (" + name + " is a pickle, which could run code: convert it to safetensors)";
  fail_input(folder.string(), ": holds no weights", pickled, "; looked for ", join(looked_for));
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
