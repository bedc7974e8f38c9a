// Whole numbers of config files, held to a range: they index, divide, allocate and count.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json_file.h"

namespace sdgen {

struct Range {
  std::int64_t least = 0, most = 0;
};

// What sizes of networks may be. A whole model still fits into 64 bits many times over.
constexpr Range kWidths{1, 65536};  // channels, hidden sizes, numbers of an embedding
constexpr Range kHeads{1, 4096};
constexpr Range kEncoderLayers{1, 256};
constexpr Range kPositions{1, 4096};  // tokens of a text
constexpr Range kVocabulary{1, std::int64_t{1} << 24};

// Throws Error(kInput): "unet/config.json: key 'in_channels' is 0; expected 1 to 65536".
void require_range(const Config& config, const std::string& key, std::int64_t value, Range range);

// The value of `key` within `range`, or `fallback`, which is not looked at, where it is absent or null.
std::int64_t whole_number(const Config& config, const std::string& key, Range range, std::int64_t fallback);
// The same of a key that must be there.
std::int64_t whole_number(const Config& config, const std::string& key, Range range);
// A list, each of whose numbers is within `range`; how many there may be is the caller's to say.
std::vector<std::int64_t> whole_numbers(const Config& config, const std::string& key, Range range);

}  // namespace sdgen
