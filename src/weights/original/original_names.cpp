#include "weights/original/original_names.h"

#include <functional>

#include "weights/edited_source.h"
#include "weights/model_files.h"
#include "weights/original/original_text.h"
#include "weights/original/original_unet.h"
#include "weights/original/original_vae.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

using Edits = std::map<std::string, EditedTensor>;
using Source = std::shared_ptr<const TensorSource>;

Edits renamed(const TensorSource& source, const NameMap& names, const std::string& prefix,
              const std::function<TensorEdit(const std::string&)>& edit_of) {
  Edits edits;
  for (const std::string& key : source.keys()) {
    const auto original = names.to_original(key);
    if (!original)
      fail_input(source.describe(), ": tensor '", key,
                 "' has no name in the original code; this model stays a folder");
    edits[prefix + *original] = {{key}, edit_of(key)};
  }
  return edits;
}

Source original_unet(const Source& unet) {
  const bool is_text_time = has_tensor(*unet, "add_embedding.linear_1.weight");
  const NameMap names = unet_names(diffusers_unet_layout(*unet), is_text_time);
  return edit_tensors(unet, renamed(*unet, names, "model.diffusion_model.",
                                    [](const std::string&) { return TensorEdit::kNone; }));
}

Source original_vae(const Source& stored) {
  const Source vae = rename_keys(stored, current_vae_name);
  const NameMap names = vae_names(diffusers_vae_levels(*vae), kMaxVaeResnets);
  return edit_tensors(vae, renamed(*vae, names, "first_stage_model.", [&](const std::string& key) {
                        const bool is_matrix =
                            is_vae_attention_matrix(key) && vae->find(key)->shape.size() == 2;
                        return is_matrix ? TensorEdit::kConvolution : TensorEdit::kNone;
                      }));
}

Source original_clip(const Source& text, const std::string& prefix) {
  return rename_keys(text,
                     [&](const std::string& key) { return prefix + "text_model." + current_clip_name(key); });
}

}  // namespace

Source original_checkpoint(const std::string& description, const std::map<std::string, Source>& components,
                           bool text_is_open_clip) {
  std::vector<Source> parts;
  const bool has_second = components.contains("text_encoder_2"),
             has_first = components.contains("text_encoder");
  for (const auto& [name, source] : components) {
    if (name == "unet") parts.push_back(original_unet(source));
    if (name == "vae") parts.push_back(original_vae(source));
    if (name == "text_encoder_2")
      parts.push_back(
          edit_tensors(source, open_clip_tensors(*source, has_first ? "conditioner.embedders.1.model."
                                                                    : "conditioner.embedders.0.model.")));
    if (name == "text_encoder" && text_is_open_clip)
      parts.push_back(edit_tensors(source, open_clip_tensors(*source, "cond_stage_model.model.")));
    if (name == "text_encoder" && !text_is_open_clip)
      parts.push_back(original_clip(
          source, has_second ? "conditioner.embedders.0.transformer." : "cond_stage_model.transformer."));
  }
  return join_sources(description, std::move(parts));
}

}  // namespace sdgen
