#include "diffusion/networks/z_image_config.h"

#include <numeric>

#include "base/config_range.h"

namespace sdgen {
namespace {

constexpr Range kChannels{1, 1024};  // of latents
constexpr Range kLayers{1, 256};
constexpr Range kRefinerLayers{0, 64};
constexpr Range kAxisDims{2, 512};
constexpr Range kAxisPositions{1, 16384};
constexpr std::size_t kAxes = 3;  // text, y, x

double positive(const Config& config, const std::string& key, double fallback) {
  const double value = config.value(key, fallback);
  if (!(value > 0.0))
    fail_input(config.path.string(), ": key '", key, "' is ", value, "; expected more than 0");
  return value;
}

void refuse_unsupported(const Config& config) {
  for (const auto& [key, known] : {std::pair<std::string, std::int64_t>{"all_patch_size", 2},
                                   std::pair<std::string, std::int64_t>{"all_f_patch_size", 1}})
    if (config.has(key) && whole_numbers(config, key, {1, 64}) != std::vector<std::int64_t>{known})
      fail_input(config.path.string(), ": key '", key, "' is not supported (only [", known, "] is)");
  if (config.has("siglip_feat_dim"))
    fail_input(config.path.string(), ": key 'siglip_feat_dim' is ", shown(config.json.at("siglip_feat_dim")),
               "; pictures as conditions are not supported (null there)");
}

std::vector<std::int64_t> of_axes(const Config& config, const std::string& key, Range range,
                                  const std::vector<std::int64_t>& fallback) {
  if (!config.has(key)) return fallback;
  std::vector<std::int64_t> values = whole_numbers(config, key, range);
  if (values.size() != kAxes)
    fail_input(config.path.string(), ": key '", key, "' has ", values.size(), " values; expected ", kAxes);
  return values;
}

void check_head(const Config& config, const ZImageConfig& net) {
  const std::string file = config.path.string();
  if (net.dim % net.heads != 0)
    fail_input(file, ": dim ", net.dim, " does not divide into ", net.heads, " heads (n_heads)");
  for (const std::int64_t dim : net.axes_dims)
    if (dim % 2 != 0) fail_input(file, ": key 'axes_dims': ", dim, " is odd; expected even numbers");
  const std::int64_t sum = std::accumulate(net.axes_dims.begin(), net.axes_dims.end(), std::int64_t{0});
  if (sum != net.head_dim())
    fail_input(file, ": axes_dims make ", sum, " together; expected dim / n_heads, ", net.head_dim());
}

}  // namespace

ZImageConfig ZImageConfig::read(const Config& config) {
  refuse_unsupported(config);
  ZImageConfig net;
  net.in_channels = whole_number(config, "in_channels", kChannels, net.in_channels);
  net.dim = whole_number(config, "dim", kWidths, net.dim);
  net.layers = whole_number(config, "n_layers", kLayers, net.layers);
  net.refiner_layers = whole_number(config, "n_refiner_layers", kRefinerLayers, net.refiner_layers);
  net.heads = whole_number(config, "n_heads", kHeads, net.heads);
  net.norm_eps = positive(config, "norm_eps", net.norm_eps);
  net.qk_norm = config.value("qk_norm", net.qk_norm);
  net.cap_feat_dim = whole_number(config, "cap_feat_dim", kWidths, net.cap_feat_dim);
  net.rope_theta = positive(config, "rope_theta", net.rope_theta);
  net.t_scale = positive(config, "t_scale", net.t_scale);
  net.axes_dims = of_axes(config, "axes_dims", kAxisDims, net.axes_dims);
  net.axes_lens = of_axes(config, "axes_lens", kAxisPositions, net.axes_lens);
  check_head(config, net);
  return net;
}

}  // namespace sdgen
