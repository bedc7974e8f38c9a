// Texts of several lengths in one batch, for networks to which padding is not nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/network.h"

namespace sdgen {

// The network, asked once at each step for all texts of one length: `lengths` of the rows of
// `inputs.context`, which is [M, L, D] of `pictures` (M or a divisor of it) pictures. The hook on_cross is
// told of the last `pictures` rows, all M in one call, and only where those are of one length; ControlNets,
// which see all rows, are refused by Error(kRequest).
PreparedNetwork prepare_each_length(const Network& network, const NetworkInputs& inputs,
                                    const std::vector<std::int64_t>& lengths, std::int64_t pictures,
                                    const Compute& compute);

}  // namespace sdgen
