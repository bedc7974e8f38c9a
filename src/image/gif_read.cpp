#include "image/gif_read.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "plain/errors.h"

namespace sdgen {
namespace {

struct Input {
  const std::vector<std::uint8_t>& bytes;
  std::size_t at = 0;
};

int read_bytes(GifFileType* gif, GifByteType* out, int size) {
  auto& input = *static_cast<Input*>(gif->UserData);
  const std::size_t taken = std::min(static_cast<std::size_t>(size), input.bytes.size() - input.at);
  std::copy_n(input.bytes.begin() + static_cast<std::ptrdiff_t>(input.at), taken, out);
  input.at += taken;
  return static_cast<int>(taken);
}

struct Close {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

// A GIF up to the description of its first frame.
struct Opened {
  explicit Opened(const std::vector<std::uint8_t>& bytes) : input{bytes} {
    int error = 0;
    gif.reset(DGifOpen(&input, read_bytes, &error));
    if (!gif) return;
    for (GifRecordType type = UNDEFINED_RECORD_TYPE; DGifGetRecordType(gif.get(), &type) == GIF_OK;) {
      if (type == IMAGE_DESC_RECORD_TYPE) {
        has_frame = DGifGetImageDesc(gif.get()) == GIF_OK;
        return;
      }
      if (type != EXTENSION_RECORD_TYPE || !read_extension()) return;
    }
  }

  bool read_extension() {
    int kind = 0;
    GifByteType* block = nullptr;  // its length, then its bytes
    if (DGifGetExtension(gif.get(), &kind, &block) != GIF_OK) return false;
    for (bool is_first = true; block != nullptr; is_first = false) {
      GraphicsControlBlock control;
      if (kind == GRAPHICS_EXT_FUNC_CODE && is_first &&
          DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
          control.TransparentColor != NO_TRANSPARENT_COLOR)
        transparent = static_cast<std::uint8_t>(control.TransparentColor);
      if (kind == COMMENT_EXT_FUNC_CODE) comment.append(reinterpret_cast<const char*>(block + 1), block[0]);
      if (DGifGetExtensionNext(gif.get(), &block) != GIF_OK) return false;
    }
    return true;
  }

  Input input;
  std::unique_ptr<GifFileType, Close> gif;
  bool has_frame = false;
  std::uint8_t transparent = 0;  // what the canvas is filled with
  std::string comment;
};

using Colours = std::array<GifColorType, 256>;

// Grey where the file tells no colour.
Colours colours_of(const ColorMapObject* map) {
  Colours colours;
  for (std::size_t i = 0; i < colours.size(); ++i) {
    const auto grey = static_cast<GifByteType>(i);
    colours[i] = {grey, grey, grey};
  }
  if (map != nullptr) std::copy_n(map->Colors, std::min(map->ColorCount, 256), colours.begin());
  return colours;
}

// The rows of the frame in the order in which they are stored.
std::vector<int> stored_rows(int height, bool is_interlaced) {
  constexpr int kStart[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
  std::vector<int> rows;
  if (!is_interlaced)
    for (int y = 0; y < height; ++y) rows.push_back(y);
  else
    for (int pass = 0; pass < 4; ++pass)
      for (int y = kStart[pass]; y < height; y += kStep[pass]) rows.push_back(y);
  return rows;
}

}  // namespace

Image decode_gif(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels) {
  const Opened opened(bytes);
  if (!opened.has_frame) fail_input(file, ": damaged GIF: it has no picture, or is cut short");
  GifFileType* const gif = opened.gif.get();
  const GifImageDesc& frame = gif->Image;
  if (frame.Width <= 0 || frame.Height <= 0) fail_input(file, ": damaged GIF: its picture is empty");
  Image image;
  image.width = std::max(gif->SWidth, frame.Left + frame.Width);
  image.height = std::max(gif->SHeight, frame.Top + frame.Height);
  if (!with_pixels) return image;
  const Colours colours = colours_of(frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap);
  std::vector<std::uint8_t> canvas(static_cast<std::size_t>(image.width) * image.height, opened.transparent);
  for (const int y : stored_rows(frame.Height, frame.Interlace))
    if (DGifGetLine(gif, &canvas[static_cast<std::size_t>(frame.Top + y) * image.width + frame.Left],
                    frame.Width) != GIF_OK)
      fail_input(file, ": damaged GIF: its data are wrong or cut short");
  image.rgb.reserve(3 * canvas.size());
  for (const std::uint8_t index : canvas) {
    const GifColorType& colour = colours[index];
    image.rgb.insert(image.rgb.end(), {colour.Red, colour.Green, colour.Blue});
  }
  return image;
}

PictureNotes gif_notes(const std::vector<std::uint8_t>& bytes) {
  PictureNotes notes;
  notes.comment = Opened(bytes).comment;
  return notes;
}

}  // namespace sdgen
