#include "diffusion/networks/z_image_block.h"

#include <algorithm>

#include "nn/axial_rope.h"

namespace sdgen {
namespace {

constexpr double kQkEps = 1e-5;  // whatever the config says of the other norms

// Rows that go through the feed-forward together on the CPU: what lies between its linears stays in the
// cache.
constexpr std::int64_t kFeedForwardRows = 1024;
// Scores of attention that are in memory at once for whoever watches, numbers.
constexpr std::int64_t kMaxScores = std::int64_t{1} << 24;

// As multi_head_attention(), but to patches the words' values are multiplied by their weights.
Tensor weighed_attention(const ImageAndWords& watched, const Tensor& q, const Tensor& k, const Tensor& v,
                         std::int64_t heads) {
  Tensor weighed = v.clone();
  weighed.narrow(1, watched.first_word, watched.words).mul_(watched.weights);
  const std::int64_t words = q.size(1) - watched.first_word;
  return at::cat({multi_head_attention(q.narrow(1, 0, watched.first_word), k, weighed, heads),
                  multi_head_attention(q.narrow(1, watched.first_word, words), k, v, heads)},
                 1);
}

void watch(const ImageAndWords& watched, const Tensor& q, const Tensor& k, const Tensor& v,
           std::int64_t heads) {
  const Tensor patches = q.narrow(1, 0, watched.height * watched.width);
  const Tensor weights = word_columns(patches, k, heads, watched.first_word, watched.words);
  watched.hooks.on_cross(
      {patches, k.narrow(1, watched.first_word, watched.words),
       v.narrow(1, watched.first_word, watched.words), heads, watched.height, watched.width},
      weights);
}

}  // namespace

Tensor word_columns(const Tensor& q, const Tensor& k, std::int64_t heads, std::int64_t first_word,
                    std::int64_t words) {
  const std::int64_t rows = std::max<std::int64_t>(1, kMaxScores / (q.size(0) * heads * k.size(1)));
  std::vector<Tensor> parts;
  for (const Tensor& some : q.split(rows, 1))
    parts.push_back(
        at::softmax(attention_scores(some, k, heads), -1).narrow(3, first_word, words).contiguous());
  return at::cat(parts, 2);
}

ZImageAttention::ZImageAttention(const Weights& weights, const ZImageConfig& config)
    : to_q(weights.at("to_q"), config.dim, config.dim, Bias::kNone),
      to_k(weights.at("to_k"), config.dim, config.dim, Bias::kNone),
      to_v(weights.at("to_v"), config.dim, config.dim, Bias::kNone),
      to_out(weights.at("to_out.0"), config.dim, config.dim, Bias::kNone),
      heads(config.heads) {
  if (!config.qk_norm) return;
  norm_q.emplace(weights.at("norm_q"), config.head_dim(), kQkEps);
  norm_k.emplace(weights.at("norm_k"), config.head_dim(), kQkEps);
}

Tensor ZImageAttention::operator()(const Tensor& x, const Tensor& rotations,
                                   const ImageAndWords* watched) const {
  const auto turned = [&](const Tensor& rows, const std::optional<RmsNorm>& norm) {
    const Tensor of_heads = rows.unflatten(2, {heads, -1});  // [N, S, heads, d]
    return rotate_pairs(norm ? (*norm)(of_heads) : of_heads, rotations).flatten(2);
  };
  const Tensor q = turned(to_q(x), norm_q), k = turned(to_k(x), norm_k), v = to_v(x);
  if (watched && watched->hooks.on_cross) watch(*watched, q, k, v, heads);
  const bool is_weighed = watched && watched->weights.defined();
  return to_out(is_weighed ? weighed_attention(*watched, q, k, v, heads)
                           : multi_head_attention(q, k, v, heads));
}

SwigluFeedForward::SwigluFeedForward(const Weights& weights, std::int64_t width, std::int64_t hidden)
    : w1(weights.at("w1"), width, hidden, Bias::kNone),
      w2(weights.at("w2"), hidden, width, Bias::kNone),
      w3(weights.at("w3"), width, hidden, Bias::kNone) {}

Tensor SwigluFeedForward::operator()(const Tensor& x) const {
  const auto of = [&](const Tensor& rows) { return w2(at::silu(w1(rows)).mul_(w3(rows))); };
  const std::int64_t rows = x.size(0) * x.size(1);
  if (!x.is_cpu() || rows <= kFeedForwardRows) return of(x);
  const Tensor flat = x.flatten(0, 1);
  Tensor y = at::empty_like(flat);
  for (std::int64_t first = 0; first < rows; first += kFeedForwardRows) {
    const std::int64_t count = std::min(kFeedForwardRows, rows - first);
    y.narrow(0, first, count).copy_(of(flat.narrow(0, first, count)));
  }
  return y.view(x.sizes());
}

ZImageBlock::ZImageBlock(const Weights& weights, const ZImageConfig& config, bool modulated)
    : attention(weights.at("attention"), config),
      feed_forward(weights.at("feed_forward"), config.dim, config.hidden_dim()),
      attention_norm1(weights.at("attention_norm1"), config.dim, config.norm_eps),
      attention_norm2(weights.at("attention_norm2"), config.dim, config.norm_eps),
      ffn_norm1(weights.at("ffn_norm1"), config.dim, config.norm_eps),
      ffn_norm2(weights.at("ffn_norm2"), config.dim, config.norm_eps) {
  if (modulated)
    adaln_modulation.emplace(weights.at("adaLN_modulation.0").unquantized(), config.time_width(),
                             4 * config.dim);
}

Tensor ZImageBlock::operator()(const Tensor& x, const Tensor& rotations, const Tensor& time,
                               const ImageAndWords* watched) const {
  if (!adaln_modulation) {
    const Tensor seen = x + attention_norm2(attention(attention_norm1(x), rotations, watched));
    return seen + ffn_norm2(feed_forward(ffn_norm1(seen)));
  }
  // Scales and gates of attention and of feed-forward, [1, dim] each.
  const std::vector<Tensor> parts = (*adaln_modulation)(time).chunk(4, 1);
  const Tensor asked = attention_norm1(x) * (1.0 + parts[0]);
  const Tensor seen = x + at::tanh(parts[1]) * attention_norm2(attention(asked, rotations, watched));
  return seen + at::tanh(parts[3]) * ffn_norm2(feed_forward(ffn_norm1(seen) * (1.0 + parts[2])));
}

}  // namespace sdgen
