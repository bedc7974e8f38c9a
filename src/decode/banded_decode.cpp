#include "decode/banded_decode.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include "compute/compute.h"

namespace sdgen {
namespace {

// Fewer rows a band would mostly compute what lies beside it.
constexpr std::int64_t kMinRows = 8;

// A map [N, C, height, w] known by its rows.
struct RowMap {
  std::int64_t height = 0;
  std::function<Tensor(std::int64_t begin, std::int64_t end)> rows;  // computed anew at each call
  std::function<void(std::int64_t row)> forget_above;                // rows above it are not asked for again
};

using Work = std::function<void(std::int64_t begin, std::int64_t end)>;

void for_each_band(std::int64_t height, std::int64_t band_rows, const Work& work) {
  for (std::int64_t begin = 0; begin < height; begin += band_rows)
    work(begin, std::min(begin + band_rows, height));
}

// GroupNorm with the statistics of a whole map: a factor and a summand for each channel.
struct WholeMapNorm {
  Tensor factor, summand;  // [N, C, 1, 1] float32

  Tensor operator()(const Tensor& x) const {
    return at::mul(x.to(at::kFloat), factor).add_(summand).to(x.scalar_type());
  }
};

WholeMapNorm whole_map_norm(const GroupNorm& norm, const RowMap& map, std::int64_t band_rows) {
  std::vector<Tensor> variances, means;  // of each band, [N, groups]
  std::vector<double> shares;
  for_each_band(map.height, band_rows, [&](std::int64_t begin, std::int64_t end) {
    const Tensor groups = map.rows(begin, end).to(at::kFloat).unflatten(1, {norm.groups, -1});
    const auto [variance, mean] = at::var_mean(groups, at::OptionalIntArrayRef({2, 3, 4}), /*correction=*/0);
    variances.push_back(variance.to(at::kDouble));
    means.push_back(mean.to(at::kDouble));
    shares.push_back(static_cast<double>(end - begin) / static_cast<double>(map.height));
  });
  const Tensor share =
      at::tensor(shares, at::kDouble).view({-1, 1, 1}).to(means.front().device());  // [bands, 1, 1]
  const Tensor band_means = at::stack(means);
  const Tensor mean = (band_means * share).sum(0);  // [N, groups]
  // The variance of all is the mean variance plus the variance of the means.
  const Tensor variance = ((at::stack(variances) + (band_means - mean).square()) * share).sum(0);
  const std::int64_t channels = norm.weight.size(0), rows = mean.size(0);
  const auto of_channels = [&](const Tensor& of_groups) {
    return of_groups.unsqueeze(2).expand({-1, -1, channels / norm.groups}).reshape({rows, channels});
  };
  const Tensor factor = of_channels((variance + norm.eps).rsqrt()) * norm.weight.to(at::kDouble);
  const Tensor summand = norm.bias.to(at::kDouble) - of_channels(mean) * factor;
  const auto finished = [](const Tensor& x) { return x.to(at::kFloat).unsqueeze(-1).unsqueeze(-1); };
  return {finished(factor), finished(summand)};
}

// A map stored in bands, given back from above.
RowMap stored_map(std::shared_ptr<std::map<std::int64_t, Tensor>> bands, std::int64_t height) {
  const auto rows = [bands](std::int64_t begin, std::int64_t end) {
    std::vector<Tensor> parts;
    for (const auto& [first, band] : *bands) {
      const std::int64_t from = std::max(begin, first), to = std::min(end, first + band.size(kRowsDim));
      if (from < to) parts.push_back(band.narrow(kRowsDim, from - first, to - from));
    }
    return parts.size() == 1 ? parts.front() : at::cat(parts, kRowsDim);
  };
  const auto forget_above = [bands](std::int64_t row) {
    std::erase_if(*bands, [&](const auto& band) { return band.first + band.second.size(kRowsDim) <= row; });
  };
  return {height, rows, forget_above};
}

RowMap stored_map(const Tensor& map) {
  return stored_map(
      std::make_shared<std::map<std::int64_t, Tensor>>(std::map<std::int64_t, Tensor>{{0, map}}),
      map.size(kRowsDim));
}

// Computes `map` and stores it, while what it was computed from is given back.
RowMap store(const RowMap& map, std::int64_t band_rows) {
  auto bands = std::make_shared<std::map<std::int64_t, Tensor>>();
  for_each_band(map.height, band_rows, [&](std::int64_t begin, std::int64_t end) {
    bands->emplace(begin, map.rows(begin, end));
    map.forget_above(end);
    release_freed_memory();  // bands of other sizes would not fit into the gaps
  });
  return stored_map(std::move(bands), map.height);
}

// conv(act(norm(map))). A 3x3 convolution reads one row beyond a band; where there is none its own padding
// is right, and elsewhere the padded row is cut off.
RowMap convolved(const RowMap& map, const WholeMapNorm& norm, Activation activation, const Conv2d& conv) {
  const auto rows = [=, &conv](std::int64_t begin, std::int64_t end) {
    const std::int64_t from = std::max<std::int64_t>(begin - 1, 0);
    const Tensor x = activate(activation, norm(map.rows(from, std::min(end + 1, map.height))));
    return conv(x).narrow(kRowsDim, begin - from, end - begin);
  };
  return {map.height, rows, [=](std::int64_t row) { map.forget_above(row - 1); }};
}

RowMap upsampled(const RowMap& map, const Upsample& upsample) {
  const auto rows = [=, &upsample](std::int64_t begin, std::int64_t end) {
    const std::int64_t from = std::max<std::int64_t>(begin - 1, 0) / 2;
    const Tensor x = map.rows(from, std::min((end + 2) / 2, map.height));
    return upsample(x, {2 * x.size(2), 2 * x.size(3)}).narrow(kRowsDim, begin - 2 * from, end - begin);
  };
  return {2 * map.height, rows, [=](std::int64_t row) { map.forget_above((row - 1) / 2); }};
}

RowMap block_output(const RowMap& x, const ResnetBlock& block, std::int64_t band_rows) {
  const RowMap hidden =
      convolved(x, whole_map_norm(block.norm1, x, band_rows), block.activation, block.conv1);
  const RowMap residual =
      convolved(hidden, whole_map_norm(block.norm2, hidden, band_rows), block.activation, block.conv2);
  const auto rows = [=, &block](std::int64_t begin, std::int64_t end) {
    const Tensor kept = x.rows(begin, end);
    return (block.conv_shortcut ? (*block.conv_shortcut)(kept) : kept) + residual.rows(begin, end);
  };
  return store({x.height, rows, residual.forget_above}, band_rows);
}

std::int64_t level_channels(const AutoencoderConfig& config, std::size_t level) {
  return config.block_out_channels[config.block_out_channels.size() - 1 - level];
}

Tensor picture_of(const AutoencoderDecoder& decoder, const RowMap& map, std::int64_t band_rows) {
  const RowMap pixels = convolved(map, whole_map_norm(decoder.conv_norm_out, map, band_rows),
                                  decoder.config.activation, decoder.conv_out);
  std::vector<Tensor> bands;
  for_each_band(map.height, band_rows, [&](std::int64_t begin, std::int64_t end) {
    bands.push_back(pixels.rows(begin, end).contiguous());
    pixels.forget_above(end);
  });
  return at::cat(bands, kRowsDim);
}

}  // namespace

bool is_level_whole(const AutoencoderConfig& config, std::size_t level) {
  const std::size_t levels = config.block_out_channels.size();
  const std::int64_t channels = level_channels(config, level == 0 ? 0 : level - 1);
  // Four maps of the first residual block are alive at once; the last level's stored map must fit anyway.
  return 4 * channels << (2 * level) <= level_channels(config, levels - 1) << (2 * (levels - 1));
}

Tensor decode_in_bands(const AutoencoderDecoder& decoder, const Tensor& latents, std::int64_t band_bytes) {
  const AutoencoderConfig& config = decoder.config;
  Tensor whole = decoder.middle(latents);
  RowMap map;
  std::int64_t channels = level_channels(config, 0), width = latents.size(3);
  const auto band_rows = [&] {
    return std::max(kMinRows, band_bytes / (latents.size(0) * channels * width * latents.element_size()));
  };
  const Upsample* upsample = nullptr;  // of the level before
  for (std::size_t level = 0; level < decoder.up_blocks.size(); ++level) {
    const AutoencoderDecoder::Block& block = decoder.up_blocks[level];
    if (upsample) width *= 2;
    if (whole.defined() && is_level_whole(config, level)) {
      if (upsample) whole = (*upsample)(whole, {2 * whole.size(2), 2 * whole.size(3)});
      for (const ResnetBlock& resnet : block.resnets) whole = resnet(whole);
    } else {
      if (whole.defined()) map = stored_map(std::exchange(whole, {}));
      if (upsample) map = upsampled(map, *upsample);
      for (const ResnetBlock& resnet : block.resnets) {
        map = block_output(map, resnet, band_rows());
        channels = level_channels(config, level);
      }
    }
    channels = level_channels(config, level);
    upsample = block.upsample ? &*block.upsample : nullptr;
  }
  if (whole.defined()) map = stored_map(whole);
  return picture_of(decoder, map, band_rows());
}

}  // namespace sdgen
