#include "decode/tiled_decode.h"

#include <algorithm>

namespace sdgen {
namespace {

// The last `extent` rows or columns of `before` fade linearly into the first of `tile`, which is changed.
void blend(const Tensor& before, const Tensor& tile, std::int64_t dim, std::int64_t extent) {
  extent = std::min({before.size(dim), tile.size(dim), extent});
  const Tensor share = at::arange(extent, at::kDouble) / static_cast<double>(extent);  // of the tile
  const std::vector<std::int64_t> along =
      dim == kRowsDim ? std::vector<std::int64_t>{extent, 1} : std::vector<std::int64_t>{1, extent};
  const auto as_weight = [&](const Tensor& weights) { return weights.to(tile.options()).view(along); };
  const Tensor end = before.narrow(dim, before.size(dim) - extent, extent);
  const Tensor start = tile.narrow(dim, 0, extent);
  start.copy_(end * as_weight(1 - share) + start * as_weight(share));
}

// The last `extent` rows of `tile`, apart from the rest of its memory.
Tensor lower_edge(const Tensor& tile, std::int64_t extent) {
  const std::int64_t rows = std::min(extent, tile.size(kRowsDim));
  return tile.narrow(kRowsDim, tile.size(kRowsDim) - rows, rows).clone();
}

}  // namespace

// In fours of latents, so that three quarters are whole latents; diffusers' own sizes are.
DecodeTiling::DecodeTiling(const AutoencoderConfig& config)
    : tile(std::max<std::int64_t>(4, config.sample_size / config.pixels_per_latent() / 4 * 4)),
      stride(tile / 4 * 3) {}

Tensor decode_in_tiles(const AutoencoderDecoder& decoder, const Tensor& latents) {
  const DecodeTiling tiling(decoder.config);
  const std::int64_t height = latents.size(kRowsDim), width = latents.size(kColumnsDim);
  if (std::max(height, width) <= tiling.tile) return decoder(latents);
  const std::int64_t scale = decoder.config.pixels_per_latent();
  const std::int64_t overlap = (tiling.tile - tiling.stride) * scale;  // pixels
  Tensor picture = at::empty({latents.size(0), decoder.config.out_channels, scale * height, scale * width},
                             latents.options());
  std::vector<Tensor> above;  // lower edges of the row of tiles before
  for (std::int64_t y = 0; y < height; y += tiling.stride) {
    std::vector<Tensor> edges;
    Tensor left;
    for (std::int64_t x = 0; x < width; x += tiling.stride) {
      const std::int64_t tile_height = std::min(tiling.tile, height - y);
      const std::int64_t tile_width = std::min(tiling.tile, width - x);
      const Tensor tile =
          decoder(latents.narrow(kRowsDim, y, tile_height).narrow(kColumnsDim, x, tile_width).contiguous());
      if (y > 0) blend(above[edges.size()], tile, kRowsDim, overlap);
      if (x > 0) blend(left, tile, kColumnsDim, overlap);
      const std::int64_t shown_height = std::min(tiling.stride, tile_height) * scale;
      const std::int64_t shown_width = std::min(tiling.stride, tile_width) * scale;
      picture.narrow(kRowsDim, y * scale, shown_height)
          .narrow(kColumnsDim, x * scale, shown_width)
          .copy_(tile.narrow(kRowsDim, 0, shown_height).narrow(kColumnsDim, 0, shown_width));
      edges.push_back(lower_edge(tile, overlap));
      left = tile;
    }
    above = std::move(edges);
  }
  return picture;
}

}  // namespace sdgen
