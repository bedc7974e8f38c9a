#include "text/tokenizers/sentencepiece_model.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <set>
#include <string_view>
#include <utility>

#include "base/input_file.h"
#include "base/side_library.h"
#include "plain/errors.h"
#include "plain/unicode.h"
#include "text/tokenizers/sentencepiece_charsmap.h"

namespace sdgen {
namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{64} << 20;
// libsentencepiece's trie calls itself once a byte of a piece.
constexpr std::size_t kLongestPiece = 1000, kMaxPieces = 1'000'000;

// Field numbers of sentencepiece_model.proto.
constexpr std::uint64_t kPieces = 1, kNormalizer = 3, kDenormalizer = 5;
constexpr std::uint64_t kCharsMap = 2;
constexpr std::uint64_t kPieceText = 1, kPieceScore = 2;

enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a protobuf message: `number` holds varints and fixed values, `bytes` strings and messages.
struct Field {
  std::uint64_t field = 0, wire = 0, number = 0;
  std::string_view bytes;
};

// Reads a message field by field; throws Error(kInput) where it does not add up.
class Reader {
 public:
  Reader(const std::filesystem::path& path, std::string_view data) : path_(path), data_(data) {}

  bool next(Field& field) {
    if (data_.empty()) return false;
    const std::uint64_t tag = varint();
    field = {tag >> 3, tag & 7, 0, {}};
    if (field.wire == kVarint)
      field.number = varint();
    else if (field.wire == kFixed64)
      field.number = little_endian(take(8));
    else if (field.wire == kFixed32)
      field.number = little_endian(take(4));
    else if (field.wire == kBytes)
      field.bytes = take(varint());
    else
      damaged();
    return true;
  }

 private:
  [[noreturn]] void damaged() const {
    fail_input(path_.string(), ": not a SentencePiece model, or damaged or cut short; copy it again");
  }
  std::string_view take(std::uint64_t size) {
    if (size > data_.size()) damaged();
    const auto taken = data_.substr(0, size);
    data_.remove_prefix(size);
    return taken;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    damaged();
  }
  static std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

  const std::filesystem::path& path_;
  std::string_view data_;
};

// Refuses a piece that libsentencepiece must not be given: its trie takes short texts that end in NUL, and it
// does not look at scores.
void check_piece(const std::filesystem::path& path, std::string_view bytes,
                 std::set<std::string, std::less<>>& seen) {
  const auto refuse = [&](const char* why) { fail_input(path.string(), ": piece ", seen.size(), why); };
  std::string_view text;
  float score = 0;
  Reader reader(path, bytes);
  for (Field field; reader.next(field);) {
    if (field.field == kPieceText) text = field.bytes;
    if (field.field == kPieceScore) score = std::bit_cast<float>(static_cast<std::uint32_t>(field.number));
  }
  if (text.size() > kLongestPiece)
    fail_input(path.string(), ": piece ", seen.size(), ": ", text.size(), " bytes (limit ", kLongestPiece,
               ")");
  if (text.empty() || text.find('\0') != std::string_view::npos) refuse(": it is empty or no text");
  if (encode_utf8(decode_utf8(text).chars) != text) refuse(": it is not UTF-8");
  if (!std::isfinite(score)) refuse(": its score is not finite");
  if (!seen.emplace(text).second) refuse(" repeats an earlier one");
}

void check_normalizer(const std::filesystem::path& path, std::string_view bytes) {
  Reader reader(path, bytes);
  for (Field field; reader.next(field);)
    if (field.field == kCharsMap && !field.bytes.empty() && !is_sound_charsmap(field.bytes))
      fail_input(path.string(),
                 ": precompiled_charsmap, the table of replaced characters, is damaged; copy it again");
}

// The number of pieces.
std::size_t check_file(const std::filesystem::path& path, std::string_view bytes) {
  std::set<std::string, std::less<>> pieces;
  Reader reader(path, bytes);
  for (Field field; reader.next(field);) {
    if (field.field == kPieces) check_piece(path, field.bytes, pieces);
    if (field.field == kNormalizer || field.field == kDenormalizer) check_normalizer(path, field.bytes);
    if (pieces.size() > kMaxPieces)
      fail_input(path.string(), ": more than ", kMaxPieces, " pieces (the limit)");
  }
  if (pieces.empty()) fail_input(path.string(), ": not a SentencePiece model: it has no pieces");
  return pieces.size();
}

OpenSentencePiece& load_library() {
  return *reinterpret_cast<OpenSentencePiece*>(
      side_library(SDGEN_SENTENCEPIECE, kOpenSentencePiece,
                   "the tokenizer needs it: build or install sd-gen and libsentencepiece again"));
}

}  // namespace

std::unique_ptr<const SentencePieceModel> open_sentencepiece_model(const std::filesystem::path& path) {
  const std::string bytes = read_input(path, kLargestFile, "a SentencePiece model");
  const std::size_t pieces = check_file(path, bytes);
  std::string error;
  auto model = load_library()(bytes, error);
  if (!model) fail_input(path.string(), ": ", error);
  if (model->size() != static_cast<int>(pieces))
    fail_input(path.string(), ": not a SentencePiece model: ", model->size(), " pieces could be read of ",
               pieces);
  return model;
}

}  // namespace sdgen
