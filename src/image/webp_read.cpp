#include "image/webp_read.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "plain/errors.h"

namespace sdgen {
namespace {

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;

// The file's chunks; null for what is damaged or cut short. It points into `bytes`.
Demuxer chunks_of(const std::vector<std::uint8_t>& bytes) {
  const WebPData data{bytes.data(), bytes.size()};
  return {WebPDemux(&data), WebPDemuxDelete};
}

struct FirstFrame {
  explicit FirstFrame(const WebPDemuxer* chunks) : is_there(WebPDemuxGetFrame(chunks, 1, &frame) != 0) {}
  ~FirstFrame() { WebPDemuxReleaseIterator(&frame); }
  FirstFrame(const FirstFrame&) = delete;
  FirstFrame& operator=(const FirstFrame&) = delete;

  WebPIterator frame{};
  bool is_there;
};

std::vector<std::uint8_t> chunk(const WebPDemuxer* chunks, const char* name) {
  WebPChunkIterator found{};
  std::vector<std::uint8_t> data;
  if (WebPDemuxGetChunk(chunks, name, 1, &found) != 0)
    data.assign(found.chunk.bytes, found.chunk.bytes + found.chunk.size);
  WebPDemuxReleaseChunkIterator(&found);
  return data;
}

}  // namespace

Image decode_webp(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels) {
  const Demuxer chunks = chunks_of(bytes);
  if (!chunks) fail_input(file, ": damaged WebP: its chunks do not add up, or the file is cut short");
  Image image;
  image.width = static_cast<int>(WebPDemuxGetI(chunks.get(), WEBP_FF_CANVAS_WIDTH));
  image.height = static_cast<int>(WebPDemuxGetI(chunks.get(), WEBP_FF_CANVAS_HEIGHT));
  const FirstFrame first(chunks.get());
  const WebPIterator& frame = first.frame;
  const bool fits = first.is_there && frame.x_offset >= 0 && frame.y_offset >= 0 && frame.width > 0 &&
                    frame.height > 0 && frame.x_offset <= image.width - frame.width &&
                    frame.y_offset <= image.height - frame.height;
  if (!fits) fail_input(file, ": damaged WebP: it has no frame, or one larger than the picture");
  if (!with_pixels) return image;
  const std::size_t row_bytes = std::size_t{3} * image.width;
  image.rgb.assign(row_bytes * image.height, 0);
  const std::size_t begin = row_bytes * frame.y_offset + std::size_t{3} * frame.x_offset;
  if (WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, &image.rgb[begin],
                        image.rgb.size() - begin, static_cast<int>(row_bytes)) == nullptr)
    fail_input(file, ": damaged WebP: its picture cannot be decoded");
  return image;
}

PictureNotes webp_notes(const std::vector<std::uint8_t>& bytes) {
  PictureNotes notes;
  const Demuxer chunks = chunks_of(bytes);
  if (!chunks) return notes;
  notes.exif = chunk(chunks.get(), "EXIF");
  notes.xmp = chunk(chunks.get(), "XMP ");
  return notes;
}

}  // namespace sdgen
