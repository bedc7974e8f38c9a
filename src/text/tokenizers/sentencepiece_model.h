// A spiece.model file, checked and opened by libsentencepiece.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace sdgen {

// What the tokenizer asks of libsentencepiece, which is kept in a library of its own and out of libtorch's
// sight (text/sentencepiece_library/).
class SentencePieceModel {
 public:
  struct Piece {
    int id;
    std::size_t begin;  // byte of the text
  };

  virtual ~SentencePieceModel() = default;
  virtual int size() const = 0;                        // pieces
  virtual int id(const std::string& piece) const = 0;  // that of the unknown piece where there is none such
  virtual std::string piece(int id) const = 0;
  virtual bool is_control(int id) const = 0;
  virtual bool is_unknown(int id) const = 0;
  virtual std::vector<Piece> encode(const std::string& text) const = 0;
};

// What the library offers under the name kOpenSentencePiece: reads a serialized model. Where that fails,
// nothing and `error`.
using OpenSentencePiece = std::unique_ptr<const SentencePieceModel>(const std::string& serialized,
                                                                    std::string& error);

constexpr char kOpenSentencePiece[] = "sdgen_open_sentencepiece";

// Opens `path`; nothing is printed. Throws Error(kInput) naming the file: missing, damaged, cut short, no
// pieces, a piece that is empty, repeated or no text, a score that is not finite; Error(kWorking) if the
// library cannot be loaded.
std::unique_ptr<const SentencePieceModel> open_sentencepiece_model(const std::filesystem::path& path);

}  // namespace sdgen
