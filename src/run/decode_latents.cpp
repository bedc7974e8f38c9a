#include "run/decode_latents.h"

#include <algorithm>
#include <cstdio>

#include "compute/torch_errors.h"
#include "image/pixels.h"

namespace sdgen {
namespace {

// Larger pictures are decoded one by one: the decoder's peak is far above the UNet's.
constexpr std::int64_t kPixelsDecodedTogether = 256 * 256;

std::string gibibytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / (std::uint64_t{1} << 30));
  return text;
}

std::string describe(DecodeMode mode, const DecodeSetting& setting, const Tensor& latents) {
  if (mode == DecodeMode::kWhole) return "";
  if (setting.memory.vae_tiling != VaeTiling::kAuto) return decode_mode_name(mode);
  const std::uint64_t whole =
      decode_bytes(DecodeMode::kWhole, setting.config, latents.sizes(), latents.options());
  return concat(decode_mode_name(mode), " (whole needs ", gibibytes(whole), ")");
}

// `latents` as the decoder takes them -> pixels, in the first way for which memory suffices.
Tensor decode_rows(const DecodeSetting& setting, const Decoder& decoder, const Tensor& latents,
                   std::string& how) {
  const std::vector<DecodeMode> modes =
      decode_modes(setting.memory.vae_tiling, setting.config, latents.sizes(), latents.options(),
                   room_for_maps(memory_left(latents.device(), setting.memory), setting.memory));
  for (const DecodeMode mode : modes) {
    try {
      Tensor pixels = decode(mode, decoder, latents);
      how = describe(mode, setting, latents);
      if (mode == DecodeMode::kTiles && setting.memory.vae_tiling == VaeTiling::kAuto)
        setting.warn(
            "memory does not suffice to decode the picture as a whole: it is put together from overlapping "
            "tiles, which may differ in tone");
      return pixels;
    } catch (const c10::Error& error) {
      if (mode == modes.back() || !is_out_of_memory(error)) throw;
    }
  }
  return {};
}

}  // namespace

DecodedPictures decode_latents(const DecodeSetting& setting, const Tensor& latents) {
  const at::ScalarType dtype = setting.compute.dtype;
  const Decoder& decoder = setting.components.decoder(setting.on_load);
  const Tensor scaled = setting.config.to_vae(latents);
  const std::int64_t scale = setting.config.pixels_per_latent();
  const std::int64_t pixels = latents.size(2) * latents.size(3) * scale * scale;
  DecodedPictures result;
  for (const Tensor& rows : scaled.split(std::max<std::int64_t>(1, kPixelsDecodedTogether / pixels))) {
    const Tensor decoded = decode_rows(setting, decoder, rows.to(dtype), result.how);
    for (std::int64_t row = 0; row < decoded.size(0); ++row) {
      Tensor picture = decoded.narrow(0, row, 1);
      if (dtype != at::kFloat && !is_finite(picture) && is_finite(rows[row])) {
        setting.warn(concat("the VAE's pixels are not finite in ", dtype_name(dtype),
                            ": such pictures are decoded again in float32"));
        picture = decode_rows(setting, setting.components.float32_decoder(setting.on_load),
                              rows.narrow(0, row, 1).to(at::kFloat), result.how);
      }
      result.images.push_back(is_finite(picture) ? images_from_pixels(picture).front() : Image{});
    }
  }
  return result;
}

}  // namespace sdgen
