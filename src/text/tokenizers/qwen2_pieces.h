// Where Qwen2's tokenizer cuts a text before byte-pair encoding.
#pragma once

#include <cstddef>
#include <string_view>

namespace sdgen {

// The end of the piece of `text` (NFC) that begins at `begin`, which is before its end. This is the regular
// expression
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|
//   ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// written out; pieces leave nothing of a text between them. Linear in the text.
std::size_t qwen2_piece_end(std::u32string_view text, std::size_t begin);

}  // namespace sdgen
