#include "weights/original/original_unet.h"

#include <array>
#include <set>
#include <utility>

#include "weights/shapes.h"

namespace sdgen {
namespace {

constexpr std::array kUnetResnet = {
    LeafName{"in_layers.0", "norm1"},          LeafName{"in_layers.2", "conv1"},
    LeafName{"emb_layers.1", "time_emb_proj"}, LeafName{"out_layers.0", "norm2"},
    LeafName{"out_layers.3", "conv2"},         LeafName{"skip_connection", "conv_shortcut"}};

constexpr std::array kEnds = {LeafName{"time_embed.0", "time_embedding.linear_1"},
                              LeafName{"time_embed.2", "time_embedding.linear_2"},
                              LeafName{"input_blocks.0.0", "conv_in"}, LeafName{"out.0", "conv_norm_out"},
                              LeafName{"out.2", "conv_out"}};

class Names {
 public:
  explicit Names(const std::vector<std::string>& keys) : keys_(keys.begin(), keys.end()) {}

  bool has_resnet(const std::string& block) const { return keys_.contains(block + ".0.in_layers.0.weight"); }
  bool has(const std::string& key) const { return keys_.contains(key); }
  bool has_below(const std::string& prefix) const {
    const auto first = keys_.lower_bound(prefix + ".");
    return first != keys_.end() && first->starts_with(prefix + ".");
  }

 private:
  std::set<std::string> keys_;
};

std::string numbered(const std::string& name, std::size_t i) {
  return name + "." + std::to_string(i);
}

void add_down(NameMap& names, const UnetLayout& layout) {
  std::size_t index = 1;
  for (std::size_t level = 0; level < layout.down.size(); ++level) {
    const std::string block = numbered("down_blocks", level);
    for (int layer = 0; layer < layout.down[level]; ++layer, ++index) {
      const std::string number = std::to_string(layer), input = numbered("input_blocks", index);
      names.add(input + ".0", block + ".resnets." + number, kUnetResnet);
      names.add(input + ".1", block + ".attentions." + number);
    }
    names.add(numbered("input_blocks", index++) + ".0.op", block + ".downsamplers.0.conv");
  }
}

void add_up(NameMap& names, const UnetLayout& layout) {
  std::size_t index = 0;
  for (std::size_t level = 0; level < layout.up.size(); ++level) {
    const std::string block = numbered("up_blocks", level);
    for (int layer = 0; layer < layout.up[level]; ++layer, ++index) {
      const std::string number = std::to_string(layer), output = numbered("output_blocks", index);
      names.add(output + ".0", block + ".resnets." + number, kUnetResnet);
      names.add(output + ".1", block + ".attentions." + number);
      if (layer + 1 == layout.up[level])
        names.add(output + (layout.up_attends[level] ? ".2.conv" : ".1.conv"), block + ".upsamplers.0.conv");
    }
  }
}

}  // namespace

UnetLayout original_unet_layout(const std::vector<std::string>& keys) {
  const Names names(keys);
  UnetLayout layout;
  int layers = 0;
  for (std::size_t i = 1;; ++i) {
    const std::string block = numbered("input_blocks", i);
    if (names.has_resnet(block)) {
      ++layers;
    } else if (names.has(block + ".0.op.weight")) {
      layout.down.push_back(std::exchange(layers, 0));
    } else {
      break;
    }
  }
  if (layers > 0) layout.down.push_back(std::exchange(layers, 0));
  for (std::size_t i = 0;; ++i) {
    const std::string block = numbered("output_blocks", i), next = numbered("output_blocks", i + 1);
    if (!names.has_resnet(block)) break;
    ++layers;
    if (names.has_below(block + ".1.conv") || names.has_below(block + ".2.conv") || !names.has_resnet(next)) {
      layout.up.push_back(std::exchange(layers, 0));
      layout.up_attends.push_back(names.has_below(block + ".1.norm"));
    }
  }
  return layout;
}

UnetLayout diffusers_unet_layout(const TensorSource& unet) {
  UnetLayout layout;
  for (std::size_t level = 0;; ++level) {
    const int layers = count_tensors(unet, numbered("down_blocks", level) + ".resnets.", ".norm1.weight");
    if (layers == 0) break;
    layout.down.push_back(layers);
  }
  for (std::size_t level = 0;; ++level) {
    const std::string block = numbered("up_blocks", level);
    const int layers = count_tensors(unet, block + ".resnets.", ".norm1.weight");
    if (layers == 0) break;
    layout.up.push_back(layers);
    layout.up_attends.push_back(
        unet.find(block + ".attentions." + std::to_string(layers - 1) + ".norm.weight") != nullptr);
  }
  return layout;
}

NameMap unet_names(const UnetLayout& layout, bool is_text_time) {
  NameMap names;
  for (const LeafName& end : kEnds) names.add(std::string(end.original), std::string(end.diffusers));
  const std::string label = is_text_time ? "add_embedding" : "class_embedding";
  names.add("label_emb.0.0", label + ".linear_1");
  names.add("label_emb.0.2", label + ".linear_2");
  add_down(names, layout);
  names.add("middle_block.0", "mid_block.resnets.0", kUnetResnet);
  names.add("middle_block.1", "mid_block.attentions.0");
  names.add("middle_block.2", "mid_block.resnets.1", kUnetResnet);
  add_up(names, layout);
  return names;
}

}  // namespace sdgen
