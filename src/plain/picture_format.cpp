#include "sdgen/picture_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace sdgen {
namespace {

constexpr std::array<std::pair<std::string_view, PictureFormat>, 4> kEndings = {
    {{".png", PictureFormat::kPng},
     {".jpg", PictureFormat::kJpeg},
     {".jpeg", PictureFormat::kJpeg},
     {".webp", PictureFormat::kWebp}}};

const std::pair<std::string_view, PictureFormat>* row_of(std::string_view name) {
  const std::string_view file = name.substr(name.rfind('/') + 1);
  const auto ends_with = [&](std::string_view ending) {
    return file.size() > ending.size() &&
           std::equal(ending.rbegin(), ending.rend(), file.rbegin(), [](char wanted, char c) {
             return wanted == std::tolower(static_cast<unsigned char>(c));
           });
  };
  const auto* const found =
      std::find_if(kEndings.begin(), kEndings.end(), [&](const auto& row) { return ends_with(row.first); });
  return found == kEndings.end() ? nullptr : found;
}

}  // namespace

std::optional<PictureFormat> picture_format(std::string_view name) {
  const auto* const row = row_of(name);
  return row ? std::optional(row->second) : std::nullopt;
}

std::string_view picture_ending(std::string_view name) {
  const auto* const row = row_of(name);
  return row ? name.substr(name.size() - row->first.size()) : std::string_view();
}

std::string format_limit(PictureFormat format, int width, int height, std::size_t exif_bytes) {
  constexpr int kMaxJpeg = 65500, kMaxWebp = 16383;  // pixels a side
  constexpr std::size_t kMaxSegment = 65533;         // bytes of a JPEG's segment
  const int side = std::max(width, height);
  if (format == PictureFormat::kJpeg && side > kMaxJpeg)
    return "a JPEG has at most " + std::to_string(kMaxJpeg) + " pixels a side; write a .png";
  if (format == PictureFormat::kWebp && side > kMaxWebp)
    return "a WebP has at most " + std::to_string(kMaxWebp) + " pixels a side; write a .png";
  if (format == PictureFormat::kJpeg && exif_bytes > kMaxSegment)
    return "a JPEG holds about 32000 characters of parameters, this prompt is longer; write a .png or a "
           ".webp";
  return "";
}

}  // namespace sdgen
