#include "weights/formats/other_file.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "plain/errors.h"
#include "sdgen/printable.h"

namespace sdgen {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kShownBytes = 60, kShortestText = 8;

// What a file of this kind is called and what to do about it.
struct Magic {
  std::string_view bytes;
  std::string_view what, remedy;
  std::size_t at = 0;
};

constexpr auto kUnpack = "unpack it and name the file in it"sv, kSafetensors = "get it as safetensors"sv,
               kNameAnother = "name a file of weights"sv;

constexpr std::array kMagics = {
    Magic{"version https://git-lfs"sv, "a Git LFS pointer, not the weights"sv,
          "run git lfs pull in its folder"sv},
    Magic{"# v2 git bundle"sv, "a git bundle, not weights"sv, "git clone it, then run git lfs pull"sv},
    Magic{"# v3 git bundle"sv, "a git bundle, not weights"sv, "git clone it, then run git lfs pull"sv},
    Magic{"PACK\0\0\0"sv, "a pack of git objects, not weights"sv, "run git lfs pull in the repository"sv},
    Magic{"DIRC\0\0\0"sv, "an index of git, not weights"sv, "run git lfs pull in the repository"sv},
    Magic{"GGUF"sv, "a GGUF file, which is not read"sv, kSafetensors},
    Magic{"lmgg"sv, "a GGML file, which is not read"sv, kSafetensors},
    Magic{"tjgg"sv, "a GGML file, which is not read"sv, kSafetensors},
    Magic{"ustar"sv, "a tar archive, not weights"sv, kUnpack, 257},
    Magic{"PK\5\6"sv, "an empty zip archive, not weights"sv, "download it again"sv},
    Magic{"PK\7\x08"sv, "a part of a zip archive, not weights"sv, kUnpack},
    Magic{"\x1f\x8b\x08"sv, "packed by gzip, not weights"sv, kUnpack},
    Magic{"BZh"sv, "packed by bzip2, not weights"sv, kUnpack},
    Magic{"\xfd"
          "7zXZ\0"sv,
          "packed by xz, not weights"sv, kUnpack},
    Magic{"\x28\xb5\x2f\xfd"sv, "packed by zstd, not weights"sv, kUnpack},
    Magic{"\x04\x22\x4d\x18"sv, "packed by lz4, not weights"sv, kUnpack},
    Magic{"7z\xbc\xaf\x27\x1c"sv, "a 7z archive, not weights"sv, kUnpack},
    Magic{"Rar!\x1a\x07"sv, "a RAR archive, not weights"sv, kUnpack},
    Magic{"\x89PNG\r\n"sv, "a picture (PNG), not weights"sv, kNameAnother},
    Magic{"\xff\xd8\xff"sv, "a picture (JPEG), not weights"sv, kNameAnother},
    Magic{"GIF8"sv, "a picture (GIF), not weights"sv, kNameAnother},
    Magic{"WEBP"sv, "a picture (WebP), not weights"sv, kNameAnother, 8},
    Magic{"ftypavif"sv, "a picture (AVIF), not weights"sv, kNameAnother, 4},
    Magic{"ftyp"sv, "a film, not weights"sv, kNameAnother, 4},
    Magic{"II*\0"sv, "a picture (TIFF), not weights"sv, kNameAnother},
    Magic{"MM\0*"sv, "a picture (TIFF), not weights"sv, kNameAnother},
    Magic{"%PDF-"sv, "a PDF document, not weights"sv, kNameAnother},
    Magic{"\x89HDF\r\n"sv, "an HDF5 file (Keras), which is not read"sv, kSafetensors},
    Magic{"\x93NUMPY"sv, "a NumPy array, which is not read"sv, kSafetensors},
    Magic{"TFL3"sv, "a TensorFlow Lite model, which is not read"sv, kSafetensors, 4},
    Magic{"PAR1"sv, "a Parquet table, not weights"sv, kNameAnother},
    Magic{"SQLite format 3"sv, "an SQLite database, not weights"sv, kNameAnother},
    Magic{"\x7f"
          "ELF"sv,
          "a program, not weights"sv, kNameAnother},
    Magic{"d8:announce"sv, "a torrent, not weights"sv, "download what it tells of"sv},
};

constexpr auto kAgain = "log in where it comes from, accept its terms, and download it again"sv;

bool begins_without_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
         });
}

// Eight bytes of length, whose upper ones are zero, and JSON.
bool is_safetensors(std::string_view bytes) {
  return bytes.size() > 8 && bytes.substr(4, 4) == "\0\0\0\0"sv && (bytes[8] == '{' || bytes[8] == ' ');
}

// Of what zlib packs: a CM of 8 with a window of 32 kB, and a check of the two bytes.
bool is_zlib(std::string_view bytes) {
  return bytes.size() > 8 && bytes[0] == '\x78' &&
         (0x78 * 256 + static_cast<unsigned char>(bytes[1])) % 31 == 0 && bytes.substr(4, 4) != "\0\0\0\0"sv;
}

// A msgpack map of a few texts: what Flax writes.
bool is_msgpack(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 8 || at(0) < 0x81 || at(0) > 0x8f) return false;
  const std::size_t begin = at(1) == 0xd9 ? 3 : 2;
  const std::size_t length = at(1) == 0xd9 ? at(2) : at(1) >= 0xa1 && at(1) <= 0xbf ? at(1) - 0xa0U : 0;
  if (length == 0 || begin + length > bytes.size()) return false;
  return std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                     bytes.begin() + static_cast<std::ptrdiff_t>(begin + length),
                     [](unsigned char byte) { return std::isalnum(byte) || byte == '_' || byte == '.'; });
}

bool is_text(std::string_view bytes) {
  if (bytes.size() < kShortestText) return false;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f') return false;
    const std::size_t length = utf8_length(bytes, at);
    if (length == 0 && bytes.size() - at >= 4) return false;  // the last character may be cut off
    at += std::max<std::size_t>(1, length);
  }
  return true;
}

std::string text_file(std::string_view text) {
  const std::string shown = concat("'", printable(text.substr(0, 4 * kShownBytes), kShownBytes), "'");
  for (const std::string_view begin : {"<!doctype html"sv, "<html"sv, "<head"sv, "<!--"sv, "<body"sv})
    if (begins_without_case(text, begin)) return concat("is a web page (HTML), not weights; ", kAgain);
  if (text.starts_with("<?xml") || text.starts_with("<Error"))
    return concat("is an XML text, not weights: ", shown, "; ", kAgain);
  if (text.starts_with('{') && text.find("\"weight_map\"") != std::string_view::npos)
    return "is an index of shards (JSON), not weights; name the folder that holds it and them";
  if (text.starts_with('{') || text.starts_with('['))
    return concat("is a JSON text, not weights: ", shown, "; ", kAgain);
  return concat("is a text, not weights: ", shown, "; ", kAgain);
}

}  // namespace

std::string other_file(std::string_view bytes) {
  bytes = bytes.substr(0, kTellingBytes);
  if (is_safetensors(bytes)) return "";
  for (const Magic& magic : kMagics)
    if (bytes.size() >= magic.at && bytes.substr(magic.at).starts_with(magic.bytes))
      return concat("is ", magic.what, "; ", magic.remedy);
  if (bytes.size() >= 64 && bytes.find_first_not_of('\0') == std::string_view::npos)
    return "begins with zeros, not with weights; an unfinished download? download it again";
  if (is_zlib(bytes))
    return "is packed by zlib (an object of git?), not weights; run git lfs pull in the repository";
  if (is_msgpack(bytes)) return concat("is a msgpack file (Flax), which is not read; ", kSafetensors);
  std::string_view text = bytes;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return concat("is a text (UTF-16), not weights; ", kAgain);
  if (!is_text(text)) return "";
  const auto begin = text.find_first_not_of(" \t\r\n\f");
  return text_file(begin == std::string_view::npos ? text : text.substr(begin));
}

}  // namespace sdgen
