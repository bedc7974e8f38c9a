#include "weights/model_files.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/input_file.h"
#include "plain/errors.h"
#include "weights/formats/safetensors.h"
#include "weights/formats/weights_file.h"

namespace sdgen {

namespace {

namespace fs = std::filesystem;

struct Candidates {
  const fs::path& folder;
  const std::string& stem;  // "diffusion_pytorch_model", "model"
  std::vector<std::string> looked_for{};
};

// STEM.safetensors or its shards, or the same of PyTorch's; nullptr if there is none.
std::shared_ptr<const TensorSource> open_format(Candidates& candidates, const std::string& variant,
                                                bool is_pickled) {
  const std::string extension = is_pickled ? ".bin" : ".safetensors";
  // transformers' own name of a pickle.
  const std::string stem = is_pickled && candidates.stem == "model" ? "pytorch_model" : candidates.stem;
  const std::string file = stem + variant + extension;
  // diffusers writes the variant before `.json`, transformers before `.safetensors`.
  const std::vector<std::string> indices = {stem + extension + ".index" + variant + ".json",
                                            file + ".index.json"};
  candidates.looked_for.insert(candidates.looked_for.end(), {file, indices[0]});
  const bool is_whole = is_there(candidates.folder / file);
  // Where there are both, diffusers takes the shards and transformers the whole.
  if (is_whole && candidates.stem == "model") return open_weights_file(candidates.folder / file);
  for (const std::string& index : indices)
    if (is_there(candidates.folder / index)) return open_safetensors_shards(candidates.folder / index);
  return is_whole ? open_weights_file(candidates.folder / file) : nullptr;
}

// The variants that have files in the folder, ".fp16" and ".bf16" first: "STEM.ema.safetensors" is ".ema".
// Not those of shards, which their index names.
std::vector<std::string> variants_in(const fs::path& folder, const std::string& stem) {
  std::set<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename();
    for (const char* ending : {".safetensors", ".bin"}) {
      const std::string begin =
          ending == std::string(".bin") && stem == "model" ? "pytorch_model." : stem + ".";
      const std::size_t length = std::string(ending).size();
      if (!name.starts_with(begin) || !name.ends_with(ending) || name.size() <= begin.size() + length)
        continue;
      const std::string variant = name.substr(begin.size(), name.size() - begin.size() - length);
      if (variant.find("-of-") == variant.npos) found.insert("." + variant);
    }
  }
  std::vector<std::string> variants = {".fp16", ".bf16"};
  for (const std::string& variant : found)
    if (std::find(variants.begin(), variants.end(), variant) == variants.end()) variants.push_back(variant);
  return variants;
}

}  // namespace

std::shared_ptr<const TensorSource> open_model_files(const fs::path& folder, const std::string& stem) {
  if (!is_folder(folder)) fail_input(folder.string(), ": no such folder; the model lacks this component");
  Candidates candidates{folder, stem};
  for (const bool is_pickled : {false, true})  // pickles are read without running what may be in them
    if (auto found = open_format(candidates, "", is_pickled)) return found;
  for (const std::string& variant : variants_in(folder, stem))
    for (const bool is_pickled : {false, true})
      if (auto found = open_format(candidates, variant, is_pickled)) return found;
  fail_input(folder.string(), ": holds no weights; looked for ", join(candidates.looked_for));
}

std::shared_ptr<const TensorSource> open_text_files(const fs::path& folder) {
  return select_keys(open_model_files(folder, "model"), [](const std::string& key) {
    return !key.starts_with("vision_model.") && !key.starts_with("visual_projection.") &&
           key != "logit_scale";
  });
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
