// Patterns of file names: literal text and {fields}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options/request_fields.h"

namespace sdgen::cli {

struct Piece {
  bool is_field = false;
  std::string text;  // the field's name with dashes, or literal text
};

// What fields stand for.
struct PictureFacts {
  const Job& job;
  std::uint64_t seed = 0;
  std::size_t index = 0;  // of the run, from 1
  std::size_t total = 0;  // pictures of the run
  const std::string& model;
};

// The fields: index, seed, prompt, ...
std::vector<std::string> output_field_names();

// {{ and }} stand for braces. Throws Error(kRequest) for unknown fields (with the nearest known one) and lone
// braces.
std::vector<Piece> parse_pattern(const std::string& pattern);

bool is_plain(const std::vector<Piece>& pieces);  // without fields

std::string expand(const std::vector<Piece>& pieces, const PictureFacts& picture);

// `number` with zeros in front, as wide as `last`.
std::string padded(std::size_t number, std::size_t last);

// `text` as a part of a file name: at most 100 bytes, no slashes, control characters, spaces, characters that
// other systems refuse, nor dots or dashes at its ends; "untitled" if nothing is left.
std::string file_name_part(std::string_view text);

}  // namespace sdgen::cli
