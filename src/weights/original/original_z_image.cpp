#include "weights/original/original_z_image.h"

#include <algorithm>
#include <array>
#include <vector>

#include "weights/shapes.h"

namespace sdgen {
namespace {

// Only this family's patches and words go through refiners.
const std::string kRefiner = "noise_refiner.0.attention.out.weight";
// The same, written by diffusers into one file.
const std::string kRefinerOfDiffusers = "noise_refiner.0.attention.to_out.0.weight";

std::string replaced(std::string name, const std::string& part, const std::string& by) {
  const std::size_t at = name.find(part);
  return at == std::string::npos ? name : name.replace(at, part.size(), by);
}

// But for the joined query, key and value.
std::string diffusers_name(const std::string& original) {
  if (original.starts_with("x_embedder.")) return "all_x_embedder.2-1." + original.substr(11);
  if (original.starts_with("final_layer.")) return "all_final_layer.2-1." + original.substr(12);
  std::string name = replaced(original, ".attention.out.", ".attention.to_out.0.");
  name = replaced(name, ".attention.q_norm.", ".attention.norm_q.");
  return replaced(name, ".attention.k_norm.", ".attention.norm_k.");
}

void add(const std::string& prefix, const std::string& name, std::map<std::string, EditedTensor>& edits) {
  static const std::string kJoined = ".attention.qkv.";
  if (name == "norm_final.weight") return;  // of the code's ancestor; nothing computes with it
  if (name.find(kJoined) == std::string::npos) {
    edits[diffusers_name(name)] = {{prefix + name}};
    return;
  }
  const std::array<std::pair<const char*, TensorEdit>, 3> thirds = {
      {{".attention.to_q.", TensorEdit::kFirstThird},
       {".attention.to_k.", TensorEdit::kSecondThird},
       {".attention.to_v.", TensorEdit::kLastThird}}};
  for (const auto& [part, edit] : thirds) edits[replaced(name, kJoined, part)] = {{prefix + name}, edit};
}

}  // namespace

std::optional<std::map<std::string, EditedTensor>> z_image_tensors(const TensorSource& source) {
  for (const std::string prefix : {"model.diffusion_model.", "diffusion_model.", ""}) {
    if (!has_tensor(source, prefix + kRefiner) && !has_tensor(source, prefix + kRefinerOfDiffusers)) continue;
    std::map<std::string, EditedTensor> edits;
    for (const std::string& key : source.keys()) {
      const bool is_other = prefix.empty() && (key.starts_with("vae.") || key.starts_with("text_encoders."));
      if (key.starts_with(prefix) && !is_other) add(prefix, key.substr(prefix.size()), edits);
    }
    return edits;
  }
  return std::nullopt;
}

Json z_image_config(const TensorSource& transformer) {
  const std::string patches = "all_x_embedder.2-1.weight", layer = "layers.0.attention.";
  constexpr std::int64_t kPatch = 2 * 2;
  const std::int64_t dim = size_of(transformer, patches, 0);
  const bool has_norms = has_tensor(transformer, layer + "norm_q.weight");
  const std::int64_t head = has_norms ? size_of(transformer, layer + "norm_q.weight", 0) : 128;
  const std::int64_t heads = std::max<std::int64_t>(1, dim / head), text_axis = head / 4;
  return {{"_class_name", "ZImageTransformer2DModel"},
          {"all_patch_size", {2}},
          {"all_f_patch_size", {1}},
          {"in_channels", size_of(transformer, patches, 1) / kPatch},
          {"dim", dim},
          {"n_layers", count_tensors(transformer, "layers.", ".attention.to_q.weight")},
          {"n_refiner_layers", count_tensors(transformer, "noise_refiner.", ".attention.to_q.weight")},
          {"n_heads", heads},
          {"n_kv_heads", heads},
          {"norm_eps", 1e-5},
          {"qk_norm", has_norms},
          {"cap_feat_dim", size_of(transformer, "cap_embedder.0.weight", 0)},
          {"rope_theta", 256.0},
          {"t_scale", 1000.0},
          {"axes_dims", {text_axis, (head - text_axis) / 2, (head - text_axis) / 2}},
          {"axes_lens", {1536, 512, 512}}};
}

}  // namespace sdgen
