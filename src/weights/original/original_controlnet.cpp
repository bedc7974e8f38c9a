#include "weights/original/original_controlnet.h"

#include <algorithm>
#include <map>
#include <optional>

#include "weights/edited_source.h"
#include "weights/original/original_unet.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

constexpr int kMaxSkips = 64, kMaxHintLayers = 64;
const std::string kHint = "input_hint_block.", kDiffusersHint = "controlnet_cond_embedding.conv_in.weight";

std::optional<std::string> original_prefix(const TensorSource& source) {
  for (const std::string prefix : {"control_model.", ""})
    if (has_tensor(source, prefix + kHint + "0.weight")) return prefix;
  return std::nullopt;
}

// Every other layer of the original's hint block is an activation.
void add_hint(NameMap& names, const std::vector<std::string>& keys) {
  const std::string embedding = "controlnet_cond_embedding.";
  int last = 0;
  for (const std::string& key : keys)
    if (key.starts_with(kHint))
      for (int layer = last + 1; layer <= kMaxHintLayers; ++layer)
        if (key.compare(kHint.size(), std::string::npos, std::to_string(layer) + ".weight") == 0)
          last = layer;
  for (int layer = 0; layer <= last; layer += 2)
    names.add(kHint + std::to_string(layer),
              embedding + (layer == 0      ? "conv_in"
                           : layer == last ? "conv_out"
                                           : "blocks." + std::to_string(layer / 2 - 1)));
}

NameMap original_names(const UnetLayout& layout, const std::vector<std::string>& keys, bool is_text_time) {
  NameMap names = unet_names(layout, is_text_time);
  add_hint(names, keys);
  for (int skip = 0; skip < kMaxSkips; ++skip) {
    const std::string number = std::to_string(skip);
    names.add("zero_convs." + number + ".0", "controlnet_down_blocks." + number);
  }
  names.add("middle_block_out.0", "controlnet_mid_block");
  return names;
}

}  // namespace

bool is_controlnet(const TensorSource& source) {
  return has_tensor(source, kDiffusersHint) || original_prefix(source);
}

namespace {

// `source` in diffusers' names; `unet`: one whose layout it has, where its own names do not tell.
std::shared_ptr<const TensorSource> renamed(const std::shared_ptr<const TensorSource>& source,
                                            const TensorSource* unet) {
  if (has_tensor(*source, kDiffusersHint)) return source;
  const auto prefix = original_prefix(*source);
  if (!prefix)
    fail_input(source->describe(), ": holds no ControlNet (no tensor 'control_model.", kHint,
               "0.weight' or '", kDiffusersHint, "'); see what it is with sd-gen inspect");
  std::vector<std::string> keys;
  for (const std::string& key : source->keys())
    if (key.starts_with(*prefix)) keys.push_back(key.substr(prefix->size()));
  const bool is_text_time = unet ? has_tensor(*unet, "add_embedding.linear_1.weight")
                                 : has_tensor(*source, *prefix + "label_emb.0.0.weight");
  const NameMap names =
      original_names(unet ? diffusers_unet_layout(*unet) : original_unet_layout(keys), keys, is_text_time);
  std::map<std::string, EditedTensor> edits;
  for (const std::string& key : keys)
    if (const auto name = names.to_diffusers(key)) edits[*name] = {{*prefix + key}, TensorEdit::kNone};
  return edit_tensors(source, std::move(edits));
}

}  // namespace

std::shared_ptr<const TensorSource> controlnet_tensors(const std::shared_ptr<const TensorSource>& source) {
  return renamed(source, nullptr);
}

std::shared_ptr<const TensorSource> control_lora_tensors(const std::shared_ptr<const TensorSource>& source,
                                                         const TensorSource& unet) {
  return renamed(source, &unet);
}

Json controlnet_config(const TensorSource& controlnet) {
  Json config = trunk_config(controlnet);
  config["_class_name"] = "ControlNetModel";
  const std::string embedding = "controlnet_cond_embedding.";
  std::vector<std::int64_t> channels = {size_of(controlnet, embedding + "conv_in.weight", 0)};
  const int blocks = count_tensors(controlnet, embedding + "blocks.", ".weight");
  for (int i = 1; i < blocks; i += 2)
    channels.push_back(size_of(controlnet, embedding + "blocks." + std::to_string(i) + ".weight", 0));
  config["conditioning_embedding_out_channels"] = channels;
  config["conditioning_channels"] = size_of(controlnet, embedding + "conv_in.weight", 1);
  return config;
}

}  // namespace sdgen
