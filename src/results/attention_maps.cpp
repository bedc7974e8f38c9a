#include <cstdint>

#include "sdgen/attention.h"

namespace sdgen {

std::vector<float> AttentionMaps::word_map(std::size_t word) const {
  const std::size_t patches = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  std::vector<float> sum(patches, 0.0F);
  for (const int token : words[word].tokens)
    for (std::size_t i = 0; i < patches; ++i)
      sum[i] += token_maps[static_cast<std::size_t>(token) * patches + i];
  return sum;
}

}  // namespace sdgen
