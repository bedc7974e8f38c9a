#include "models/checkpoint.h"

#include <algorithm>
#include <optional>
#include <set>

#include "models/families/family.h"
#include "weights/edited_source.h"
#include "weights/formats/weights_file.h"
#include "weights/original/checkpoint_places.h"
#include "weights/original/markers.h"
#include "weights/original/original_qwen3.h"
#include "weights/original/original_text.h"
#include "weights/original/original_unet.h"
#include "weights/original/original_vae.h"
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
  const NameMap names = vae_names(original_vae_levels(keys), kMaxVaeResnets);
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
    read_denoiser();
    if (const auto prefix = unet_prefix(*source_); prefix && !family_) read_unet(*prefix);
    if (const auto prefix = vae_prefix(*source_)) read_vae(*prefix);
    if (checkpoint_.components.empty())
      fail_input(checkpoint_.file, ": not a checkpoint that is known (no tensor 'model.diffusion_model...', ",
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
    if (auto edits = qwen3_tensors(*source_))
      checkpoint_.configs["text_encoder"] = qwen3_config(*add("text_encoder", std::move(*edits)));
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

  // A network that is no UNet.
  void read_denoiser() {
    for (const Family& family : families()) {
      if (!family.find_denoiser) continue;
      auto edits = family.find_denoiser(*source_);
      if (!edits) continue;
      family_ = &family;
      OriginalConfigs configs;
      configs.unet = family.denoiser_config(*add(family.denoiser, std::move(*edits)));
      family.configure({}, configs);
      keep(configs);
      return;
    }
  }

  void keep(OriginalConfigs& configs) {
    checkpoint_.pipeline_class = family_->pipelines.front();
    checkpoint_.configs[family_->denoiser] = std::move(configs.unet);
    checkpoint_.configs["scheduler"] = std::move(configs.scheduler);
    checkpoint_.configs["model_index"] = std::move(configs.model_index);
    checkpoint_.latents = std::move(configs.vae);
  }

  void read_unet(const std::string& prefix) {
    OriginalFacts facts = facts_of(prefix);
    const auto unet = add("unet", unet_edits(*source_, prefix, facts.text_time, ema_));
    OriginalConfigs configs;
    configs.unet = unet_config(*unet);
    facts.in_channels = configs.unet["in_channels"].get<std::int64_t>();
    facts.linear_projection = configs.unet.value("use_linear_projection", false);
    facts.class_embedding = configs.unet.contains("class_embed_type");
    family_ = &family_of_original(facts);
    family_->configure(facts, configs);
    keep(configs);
  }

  // But for what the UNet's config tells.
  OriginalFacts facts_of(const std::string& prefix) const {
    const std::vector<std::string> names = keys_below(*source_, prefix);
    const auto looks = std::find_if(names.begin(), names.end(),
                                    [](const auto& key) { return key.ends_with(".attn2.to_k.weight"); });
    OriginalFacts facts;
    facts.words = looks == names.end() ? 0 : size_of(*source_, prefix + *looks, 1);
    facts.conditioner = has_below("conditioner.");
    // unCLIP has a label embedding, too; its UNet is Stable Diffusion 2's and attends to words at every size.
    const bool attends_at_once = has_tensor(*source_, prefix + "input_blocks.1.1.norm.weight");
    facts.text_time =
        has_tensor(*source_, prefix + "label_emb.0.0.weight") && (facts.conditioner || !attends_at_once);
    facts.noise_level = has_tensor(*source_, prefix + "label_emb.weight");
    facts.first_text = checkpoint_.components.contains("text_encoder");
    facts.markers = markers_of(*source_);
    return facts;
  }

  void read_vae(const std::string& prefix) {
    const auto vae = add("vae", vae_edits(*source_, prefix));
    Json& config = checkpoint_.configs["vae"] = vae_config(*vae);
    if (!family_ && markers_of(*source_).architecture.starts_with("stable-diffusion-xl"))
      checkpoint_.latents = {{"sample_size", 1024}, {"scaling_factor", 0.13025}};
    config.update(checkpoint_.latents);
    if (!has_tensor(*source_, "edm_mean") || !has_tensor(*source_, "edm_std")) return;
    config["scaling_factor"] = 0.5;
    config["latents_mean"] = numbers_of("edm_mean");
    config["latents_std"] = numbers_of("edm_std");
  }

  // A few numbers, one a latent channel.
  std::vector<float> numbers_of(const std::string& key) const {
    const at::Tensor numbers = source_->read(key).to(at::kFloat).flatten();
    constexpr std::int64_t kMaxChannels = 64;
    if (numbers.numel() > kMaxChannels)
      fail_input(checkpoint_.file, ": tensor '", key, "' holds ", numbers.numel(),
                 " numbers; one a latent channel was expected");
    return {numbers.const_data_ptr<float>(), numbers.const_data_ptr<float>() + numbers.numel()};
  }

  void note_rest() {
    for (const std::string& key : source_->keys())
      if (!used_.contains(key) && !is_marker(key)) checkpoint_.unused.push_back(key);
    if (!family_) return;
    std::vector<std::string> needed = {family_->denoiser, "vae"};
    for (const FamilyText& text : family_->texts)
      if (!is_left_out(text)) needed.push_back(text.encoder);
    for (const std::string& component : needed)
      if (!checkpoint_.components.contains(component)) checkpoint_.missing.push_back(component);
    add_index();
  }

  bool is_left_out(const FamilyText& text) const {
    const std::vector<std::string>& names = family_->left_out;
    return std::find(names.begin(), names.end(), text.encoder) != names.end();
  }

  void add_index() {
    Json& index = checkpoint_.configs["model_index"];
    index["_class_name"] = checkpoint_.pipeline_class;
    index["scheduler"] = {"diffusers", checkpoint_.configs["scheduler"]["_class_name"]};
    index[family_->denoiser] = {"diffusers", family_->denoiser_class};
    index["vae"] = {"diffusers", "AutoencoderKL"};
    const Json none = {nullptr, nullptr};
    if (family_->denoiser == "unet") index["feature_extractor"] = none;
    for (const FamilyText& text : family_->texts) {
      index[text.encoder] = is_left_out(text) ? none : Json{"transformers", text.class_name};
      index[text.tokenizer] = is_left_out(text) ? none : Json{"transformers", text.tokenizer_class};
    }
  }

  std::shared_ptr<const TensorSource> source_;
  Ema ema_;
  Checkpoint checkpoint_;
  const Family* family_ = nullptr;  // of the UNet, where there is one
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
