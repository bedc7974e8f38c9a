// The texts of UNets as rows of tensors: inputs of work that is recorded.
#pragma once

#include "compute/graphs.h"
#include "diffusion/networks/unet_trunk.h"

namespace sdgen {

// Appends the text's tensors.
void add_tensors(const UnetText& text, Tensors& tensors);

// `text` with the tensors that stand at `next` and after it, in the order of add_tensors(); `next` goes
// behind them.
UnetText with_tensors(UnetText text, Tensors::const_iterator& next);

// Multiplies the values of the last N rows by `weights` [N, L].
void weigh(UnetText& text, const Tensor& weights);

}  // namespace sdgen
