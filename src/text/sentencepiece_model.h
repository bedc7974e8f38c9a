// A spiece.model file, checked and opened by libsentencepiece.
#pragma once

#include <sentencepiece_processor.h>

#include <filesystem>
#include <memory>

namespace sdgen {

// Opens `path`; nothing is printed. Throws Error(kInput) naming the file: missing, damaged, cut short, no
// pieces, a piece that is empty, repeated or no text, a score that is not finite.
std::unique_ptr<const sentencepiece::SentencePieceProcessor> open_sentencepiece_model(
    const std::filesystem::path& path);

}  // namespace sdgen
