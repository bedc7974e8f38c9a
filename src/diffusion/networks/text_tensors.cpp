#include "diffusion/networks/text_tensors.h"

namespace sdgen {
namespace {

void add_if_defined(const Tensor& tensor, Tensors& tensors) {
  if (tensor.defined()) tensors.push_back(tensor);
}

// The values of the last rows times [N, L].
void weigh(KeysValues& seen, const Tensor& weights) {
  const std::int64_t others = seen.values.size(0) - weights.size(0);
  const Tensor words = seen.values.narrow(0, others, weights.size(0));
  const Tensor weighed = words * weights.unsqueeze(-1).to(words.options());
  seen.values = others == 0 ? weighed : at::cat({seen.values.narrow(0, 0, others), weighed});
}

}  // namespace

void add_tensors(const UnetText& text, Tensors& tensors) {
  for (const TransformerText& transformer : text.transformers) {
    for (const TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) tensors.insert(tensors.end(), {block.attn1->keys, block.attn1->values});
      tensors.insert(tensors.end(), {block.attn2.keys, block.attn2.values});
    }
  }
  add_if_defined(text.added, tensors);
  add_if_defined(text.condition, tensors);
}

UnetText with_tensors(UnetText text, Tensors::const_iterator& next) {
  for (TransformerText& transformer : text.transformers) {
    for (TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) block.attn1 = KeysValues{*next++, *next++};
      block.attn2 = KeysValues{*next++, *next++};
    }
  }
  if (text.added.defined()) text.added = *next++;
  if (text.condition.defined()) text.condition = *next++;
  return text;
}

void weigh(UnetText& text, const Tensor& weights) {
  for (TransformerText& transformer : text.transformers) {
    for (TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) weigh(*block.attn1, weights);
      weigh(block.attn2, weights);
    }
  }
}

}  // namespace sdgen
