// The library that holds libsentencepiece: it and libtorch's libc10 both define a variable FLAGS_minloglevel,
// of 32 bytes here and of 4 there. In one scope of symbols the constructor of the one overwrites what lies
// beside the other's, among it libtorch's choice between throwing and aborting.
#include <sentencepiece_processor.h>

#include <utility>

#include "text/tokenizers/sentencepiece_model.h"

namespace sdgen {
namespace {

class Model final : public SentencePieceModel {
 public:
  // Empty if all went well.
  std::string load(const std::string& serialized) {
    const auto status = processor_.LoadFromSerializedProto(serialized);
    return status.ok() ? "" : std::string("not a SentencePiece model: ") + status.message();
  }

  int size() const override { return processor_.GetPieceSize(); }
  int id(const std::string& piece) const override { return processor_.PieceToId(piece); }
  std::string piece(int id) const override { return processor_.IdToPiece(id); }
  bool is_control(int id) const override { return processor_.IsControl(id); }
  bool is_unknown(int id) const override { return processor_.IsUnknown(id); }

  std::vector<Piece> encode(const std::string& text) const override {
    const auto encoded = processor_.EncodeAsImmutableProto(text);
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < encoded.pieces_size(); ++i) {
      const auto piece = encoded.pieces(static_cast<int>(i));
      pieces.push_back({static_cast<int>(piece.id()), piece.begin()});
    }
    return pieces;
  }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace
}  // namespace sdgen

// C++ types under a C name: both sides are one build.
extern "C" __attribute__((visibility("default"))) std::unique_ptr<const sdgen::SentencePieceModel>
sdgen_open_sentencepiece(const std::string& serialized, std::string& error) {
  auto model = std::make_unique<sdgen::Model>();
  error = model->load(serialized);
  if (!error.empty()) return nullptr;
  return model;
}
