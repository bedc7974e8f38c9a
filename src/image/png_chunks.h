// PNG's chunks (PNG specification, 5.3): length, type, data, CRC of type and data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sdgen {

constexpr std::array<unsigned char, 8> kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t kPngChunkFrame = 12;  // bytes of a chunk besides its data

std::uint32_t read_big_endian(const unsigned char* bytes);
void append_chunk(std::string_view type, std::string_view data, std::vector<std::uint8_t>& out);
// Of the type and the data.
std::uint32_t chunk_crc(std::string_view type_and_data);

}  // namespace sdgen
