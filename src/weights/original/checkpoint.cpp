#include "weights/original/checkpoint.h"

#include <algorithm>
#include <optional>
#include <set>

#include "weights/edited_source.h"
#include "weights/formats/weights_file.h"
#include "weights/original/checkpoint_places.h"
#include "weights/original/original_text.h"
#include "weights/original/original_unet.h"
#include "weights/original/original_vae.h"
#include "weights/original/scheduler_config.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

using Edits = std::map<std::string, EditedTensor>;

// OpenCLIP's text encoders are at least so wide, OpenAI's are not.
constexpr std::int64_t kOpenClipWidth = 1024;

std::vector<std::string> keys_below(const TensorSource& source, const std::string& prefix) {
  std::vector<std::string> names;
  for (const std::string& key : source.keys())
    if (key.starts_with(prefix)) names.push_back(key.substr(prefix.size()));
  return names;
}

// EMA copies bear the UNet's names without dots: model_ema.diffusion_modelinput_blocks00weight.
std::string ema_key(const std::string& name) {
  std::string flat = "diffusion_model" + name;
  std::erase(flat, '.');
  return "model_ema." + flat;
}

Edits unet_edits(const TensorSource& source, const std::string& prefix, bool is_text_time, Ema ema) {
  const std::vector<std::string> keys = keys_below(source, prefix);
  const NameMap names = unet_names(original_unet_layout(keys), is_text_time);
  Edits edits;
  for (const std::string& key : keys) {
    const auto name = names.to_diffusers(key);
    if (!name) continue;
    const bool has_copy = ema == Ema::kYes && has_tensor(source, ema_key(key));
    edits[*name] = {{has_copy ? ema_key(key) : prefix + key}, TensorEdit::kNone};
  }
  return edits;
}

Edits vae_edits(const TensorSource& source, const std::string& prefix) {
  const std::vector<std::string> keys = keys_below(source, prefix);
  const NameMap names = vae_names(original_vae_levels(keys), kMostVaeResnets);
  Edits edits;
  for (const std::string& key : keys)
    if (const auto name = names.to_diffusers(key))
      edits[*name] = {{prefix + key},
                      is_vae_attention_matrix(*name) ? TensorEdit::kMatrix : TensorEdit::kNone};
  return edits;
}

// What belongs to a checkpoint's components, gathered one by one.
class Reader {
 public:
  Reader(const std::shared_ptr<const TensorSource>& source, Ema ema) : source_(source), ema_(ema) {
    checkpoint_.file = source->describe();
    checkpoint_.has_ema = has_below("model_ema.diffusion_model");
    if (ema == Ema::kYes && !checkpoint_.has_ema)
      fail_input(checkpoint_.file, ": holds no EMA weights (model_ema.*); leave that choice out");
  }

  Checkpoint read() {
    read_texts();
    if (const auto prefix = unet_prefix(*source_)) read_unet(*prefix);
    if (const auto prefix = vae_prefix(*source_)) read_vae(*prefix);
    if (checkpoint_.components.empty())
      fail_input(checkpoint_.file,
                 ": not a Stable Diffusion checkpoint (no tensor 'model.diffusion_model...', ",
                 "'first_stage_model...' or 'cond_stage_model...'); see what it is with sd-gen inspect");
    note_rest();
    return std::move(checkpoint_);
  }

 private:
  bool has_below(const std::string& prefix) const {
    const auto keys = source_->keys();
    return std::any_of(keys.begin(), keys.end(),
                       [&](const std::string& key) { return key.starts_with(prefix); });
  }

  std::shared_ptr<const TensorSource> add(const std::string& component, Edits edits) {
    for (const auto& [name, edit] : edits) used_.insert(edit.stored.begin(), edit.stored.end());
    return checkpoint_.components[component] = edit_tensors(source_, std::move(edits));
  }

  void read_texts() {
    for (const TextPlace& place : text_places()) {
      if (!has_tensor(*source_, place.prefix + place.first)) continue;
      const std::int64_t width = size_of(*source_, place.prefix + place.first, 1);
      const std::string alone = width > kOpenClipWidth ? "text_encoder_2" : "text_encoder";
      const std::string component = place.component.empty() ? alone : place.component;
      if (checkpoint_.components.contains(component)) continue;
      const auto text =
          add(component, text_tensors(*source_, place.prefix, place.names, component == "text_encoder_2"));
      const bool is_open = place.names == TextNames::kOpenClip || width >= kOpenClipWidth;
      checkpoint_.configs[component] =
          text_config(*text, is_open ? TextNames::kOpenClip : TextNames::kTransformers);
    }
  }

  void read_unet(const std::string& prefix) {
    const std::string label = prefix + "label_emb.0.0.weight";
    const bool has_label = has_tensor(*source_, label), is_conditioner = has_below("conditioner.");
    const auto words = keys_below(*source_, prefix);
    const auto looks = std::find_if(words.begin(), words.end(),
                                    [](const auto& key) { return key.ends_with(".attn2.to_k.weight"); });
    const std::int64_t width = looks == words.end() ? 0 : size_of(*source_, prefix + *looks, 1);
    const bool is_xl = has_label && (is_conditioner || width == 2048 || width == 1280);
    const auto unet = add("unet", unet_edits(*source_, prefix, is_xl, ema_));
    Json& config = checkpoint_.configs["unet"] = unet_config(*unet);
    const bool is_refiner =
        is_xl && (is_conditioner ? !checkpoint_.components.contains("text_encoder") : width == 1280);
    generation_ = is_xl ? Generation::kXl : config["use_linear_projection"] ? Generation::k2 : Generation::k1;
    checkpoint_.pipeline_class =
        pipeline_class(config, is_refiner, has_tensor(*source_, prefix + "label_emb.weight"));
    const Json scheduler = scheduler_config(*source_, generation_, checkpoint_.pipeline_class);
    is_large_ = generation_ == Generation::k2 && scheduler["prediction_type"] == "v_prediction";
    config["sample_size"] = generation_ == Generation::kXl ? 128 : is_large_ ? 96 : 64;
    if (is_large_) config["upcast_attention"] = true;
    checkpoint_.configs["scheduler"] = scheduler;
    if (is_xl) add_aesthetics(is_refiner);
  }

  std::string pipeline_class(const Json& config, bool is_refiner, bool has_noise_level) const {
    const auto channels = config["in_channels"].get<std::int64_t>();
    const std::string stem = generation_ == Generation::kXl ? "StableDiffusionXL" : "StableDiffusion";
    if (is_refiner) return "StableDiffusionXLImg2ImgPipeline";
    if (channels == 9) return stem + "InpaintPipeline";
    if (channels == 8) return stem + "InstructPix2PixPipeline";
    if (channels == 7 || has_noise_level) return "StableDiffusionUpscalePipeline";
    if (channels == 5) return "StableDiffusionDepth2ImgPipeline";
    if (config.contains("class_embed_type")) return "StableUnCLIPPipeline";
    return stem + "Pipeline";
  }

  void add_aesthetics(bool is_refiner) {
    checkpoint_.configs["model_index"]["force_zeros_for_empty_prompt"] = !is_refiner;
    if (is_refiner) checkpoint_.configs["model_index"]["requires_aesthetics_score"] = true;
  }

  void read_vae(const std::string& prefix) {
    const auto vae = add("vae", vae_edits(*source_, prefix));
    Json& config = checkpoint_.configs["vae"] = vae_config(*vae);
    const auto metadata = source_->metadata();
    const auto architecture = metadata.find("modelspec.architecture");
    const bool is_xl =
        generation_ == Generation::kXl ||
        (architecture != metadata.end() && architecture->second.starts_with("stable-diffusion-xl"));
    config["sample_size"] = is_xl ? 1024 : is_large_ ? 768 : 512;
    config["scaling_factor"] = is_xl ? 0.13025 : 0.18215;
    if (!has_tensor(*source_, "edm_mean") || !has_tensor(*source_, "edm_std")) return;
    config["scaling_factor"] = 0.5;
    config["latents_mean"] = numbers_of("edm_mean");
    config["latents_std"] = numbers_of("edm_std");
  }

  // A few numbers, one a latent channel.
  std::vector<float> numbers_of(const std::string& key) const {
    const at::Tensor numbers = source_->read(key).to(at::kFloat).flatten();
    constexpr std::int64_t kMostChannels = 64;
    if (numbers.numel() > kMostChannels)
      fail_input(checkpoint_.file, ": tensor '", key, "' holds ", numbers.numel(),
                 " numbers; one a latent channel was expected");
    return {numbers.const_data_ptr<float>(), numbers.const_data_ptr<float>() + numbers.numel()};
  }

  void note_rest() {
    const std::set<std::string> skipped = {"v_pred", "ztsnr", "edm_mean", "edm_std"};
    for (const std::string& key : source_->keys())
      if (!used_.contains(key) && !skipped.contains(key)) checkpoint_.unused.push_back(key);
    if (checkpoint_.pipeline_class.empty()) return;
    std::vector<std::string> needed = {"unet", "vae"};
    const bool is_refiner = checkpoint_.pipeline_class == "StableDiffusionXLImg2ImgPipeline";
    if (!is_refiner) needed.emplace_back("text_encoder");
    if (generation_ == Generation::kXl) needed.emplace_back("text_encoder_2");
    for (const std::string& component : needed)
      if (!checkpoint_.components.contains(component)) checkpoint_.missing.push_back(component);
    add_index(needed, is_refiner);
  }

  void add_index(const std::vector<std::string>& needed, bool is_refiner) {
    Json& index = checkpoint_.configs["model_index"];
    index["_class_name"] = checkpoint_.pipeline_class;
    index["scheduler"] = {"diffusers", checkpoint_.configs["scheduler"]["_class_name"]};
    index["unet"] = {"diffusers", "UNet2DConditionModel"};
    index["vae"] = {"diffusers", "AutoencoderKL"};
    const Json none = {nullptr, nullptr};
    if (generation_ != Generation::kXl) {
      index["safety_checker"] = none;
      index["requires_safety_checker"] = false;
    }
    index["feature_extractor"] = none;
    for (const std::string number : {"", "_2"}) {
      const bool has = std::find(needed.begin(), needed.end(), "text_encoder" + number) != needed.end();
      if (!has && !is_refiner) continue;
      const std::string type = number.empty() ? "CLIPTextModel" : "CLIPTextModelWithProjection";
      index["text_encoder" + number] = has ? Json{"transformers", type} : none;
      index["tokenizer" + number] = has ? Json{"transformers", "CLIPTokenizer"} : none;
    }
  }

  std::shared_ptr<const TensorSource> source_;
  Ema ema_;
  Checkpoint checkpoint_;
  Generation generation_ = Generation::k1;
  bool is_large_ = false;  // Stable Diffusion 2's model for 768 pixels
  std::set<std::string> used_;
};

}  // namespace

Checkpoint read_checkpoint(const std::shared_ptr<const TensorSource>& source, Ema ema) {
  return Reader(source, ema).read();
}

Checkpoint open_checkpoint(const std::filesystem::path& path, Ema ema) {
  return read_checkpoint(open_weights_file(path), ema);
}

void require_whole(const Checkpoint& checkpoint) {
  if (checkpoint.pipeline_class.empty())
    fail_input(checkpoint.file, ": holds no UNet, only a part of a model (",
               checkpoint.components.begin()->first, "); a whole checkpoint is needed to draw");
  if (!checkpoint.missing.empty())
    fail_input(checkpoint.file, ": holds no ", join(checkpoint.missing), "; a whole checkpoint has ",
               checkpoint.missing.size() > 1 ? "them" : "it");
}

}  // namespace sdgen
