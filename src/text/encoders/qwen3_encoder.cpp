#include "text/encoders/qwen3_encoder.h"

#include <algorithm>

#include "compute/operator_scope.h"

namespace sdgen {
namespace {

Bias attention_bias(const Qwen3Config& config) {
  return config.attention_bias ? Bias::kYes : Bias::kNone;
}

// In float32, as the reference has them, whatever the dtype of the weights.
RotaryTables rotary_tables(std::int64_t length, const Qwen3Config& config, const at::TensorOptions& options) {
  const Tensor exponents =
      at::arange(0, config.head_dim, 2, at::kFloat) / static_cast<double>(config.head_dim);
  const Tensor frequencies = at::reciprocal(at::pow(at::Scalar(config.rope_theta), exponents));
  const Tensor angles = at::arange(length, at::kFloat).unsqueeze(1) * frequencies;  // [L, head_dim / 2]
  return {angles.cos().to(options), angles.sin().to(options)};
}

// Turns number i of each head together with number head_dim / 2 + i. x [B, L, heads, head_dim]
Tensor rotated(const Tensor& x, const RotaryTables& rotary) {
  const std::vector<Tensor> halves = x.chunk(2, -1);
  const Tensor cos = rotary.cos.unsqueeze(1), sin = rotary.sin.unsqueeze(1);  // [L, 1, head_dim / 2]
  return at::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1);
}

// Queries [B, L, heads, d] that share keys and values [B, L, kv_heads, d] -> [B, L, heads * d]. Heads that
// share a key are the heads of one text to libtorch, and the shared key has a stride of 0 over them: nothing
// is copied for one text.
Tensor grouped_query_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  const std::int64_t texts = q.size(0), length = q.size(1), d = q.size(3);
  const std::int64_t groups = k.size(2), shared = q.size(2) / groups;
  const OperatorScope scope([&] {
    return OperatorCall{"attention", 4.0 * static_cast<double>(q.numel()) * static_cast<double>(length)};
  });
  const Tensor queries = q.unflatten(2, {groups, shared}).permute({0, 2, 3, 1, 4}).flatten(0, 1);
  const auto shared_heads = [&](const Tensor& x) {  // [B * kv_heads, shared, L, d]
    return x.transpose(1, 2).reshape({texts * groups, 1, length, d}).expand({-1, shared, -1, -1});
  };
  Tensor seen = mask;  // [B, 1, L, L]
  if (mask.defined() && texts > 1)
    seen = mask.expand({texts, groups, length, length}).reshape({texts * groups, 1, length, length});
  const Tensor mixed = at::scaled_dot_product_attention(
      queries, shared_heads(k), shared_heads(v), mask.defined() ? std::optional<Tensor>(seen) : std::nullopt,
      0.0, /*is_causal=*/!mask.defined());
  return mixed.unflatten(0, {texts, groups}).permute({0, 3, 1, 2, 4}).reshape({texts, length, -1});
}

// [B, L], 0 for what nobody may see -> [B, 1, L, L] for Qwen3Layer; undefined where all may be seen.
Tensor causal_mask(const Tensor& mask, const at::Device& device) {
  if (!mask.defined()) return {};
  const Tensor keys = mask.to(device).to(at::kBool);
  if (keys.all().item<bool>()) return {};
  const std::int64_t length = mask.size(1);
  const Tensor before = at::ones({length, length}, keys.options()).tril();
  return keys.view({-1, 1, 1, length}).logical_and(before);
}

std::int64_t checked_state(const std::string& file, const Qwen3Config& config, std::int64_t wanted) {
  const std::int64_t state = wanted < 0 ? config.layers + 1 + wanted : wanted;
  if (state < 0 || state > config.layers)
    fail_input(file, ": hidden_states[", wanted, "] is asked for, the text encoder has ", config.layers,
               " layers (num_hidden_layers)");
  return state;
}

}  // namespace

Qwen3Layer::Qwen3Layer(const Weights& weights, const Qwen3Config& config)
    : input_layernorm(weights.at("input_layernorm"), config.hidden_size, config.rms_norm_eps),
      q_proj(weights.at("self_attn.q_proj"), config.hidden_size, config.heads * config.head_dim,
             attention_bias(config)),
      k_proj(weights.at("self_attn.k_proj"), config.hidden_size, config.kv_heads * config.head_dim,
             attention_bias(config)),
      v_proj(weights.at("self_attn.v_proj"), config.hidden_size, config.kv_heads * config.head_dim,
             attention_bias(config)),
      o_proj(weights.at("self_attn.o_proj"), config.heads * config.head_dim, config.hidden_size,
             attention_bias(config)),
      q_norm(weights.at("self_attn.q_norm"), config.head_dim, config.rms_norm_eps),
      k_norm(weights.at("self_attn.k_norm"), config.head_dim, config.rms_norm_eps),
      post_attention_layernorm(weights.at("post_attention_layernorm"), config.hidden_size,
                               config.rms_norm_eps),
      gate_proj(weights.at("mlp.gate_proj"), config.hidden_size, config.intermediate_size, Bias::kNone),
      up_proj(weights.at("mlp.up_proj"), config.hidden_size, config.intermediate_size, Bias::kNone),
      down_proj(weights.at("mlp.down_proj"), config.intermediate_size, config.hidden_size, Bias::kNone),
      config(config) {}

Tensor Qwen3Layer::operator()(const Tensor& x, const RotaryTables& rotary, const Tensor& mask) const {
  const auto heads = [&](const Tensor& y) { return y.unflatten(-1, {-1, config.head_dim}); };
  Tensor normed = input_layernorm(x);
  const Tensor q = rotated(q_norm(heads(q_proj(normed))), rotary);
  const Tensor k = rotated(k_norm(heads(k_proj(normed))), rotary);
  const Tensor attended =
      o_proj(grouped_query_attention(q, k, heads(v_proj(normed)), mask), x);  // and x added
  normed = post_attention_layernorm(attended);
  return down_proj(activate(config.activation, gate_proj(normed)) * up_proj(normed), attended);
}

Qwen3Encoder::Qwen3Encoder(const Weights& weights, const Qwen3Config& config,
                           const std::vector<std::int64_t>& wanted, Residency residency)
    : config_(config),
      file_(weights.describe()),
      embed_tokens_(weights.tensor("embed_tokens.weight", {config.vocab_size, config.hidden_size})) {
  std::int64_t last = 0;
  for (const std::int64_t state : wanted) {
    wanted_.push_back(checked_state(file_, config, state));
    last = std::max(last, wanted_.back());
  }
  for (std::int64_t i = 0; i < last; ++i) layers_.emplace_back(residency, weights.at("layers").at(i), config);
  if (last == config.layers) norm_.emplace(weights.at("norm"), config.hidden_size, config.rms_norm_eps);
}

Tensor Qwen3Encoder::embedded(const Tensor& ids) const {
  if (const auto highest = ids.max().item<std::int64_t>();
      highest >= config_.vocab_size || ids.min().item<std::int64_t>() < 0)
    fail_input(file_, ": the tokenizer gives token ", highest, ", the text encoder knows ",
               config_.vocab_size, "; they do not belong together");
  return at::embedding(embed_tokens_, ids.to(embed_tokens_.device()));
}

std::vector<Tensor> Qwen3Encoder::operator()(const Tensor& ids, const Tensor& mask) const {
  Tensor x = embedded(ids);
  const RotaryTables rotary = rotary_tables(ids.size(1), config_, x.options());
  const Tensor seen = causal_mask(mask, x.device());
  std::vector<Tensor> states(wanted_.size());
  const auto keep = [&](std::int64_t state) {
    for (std::size_t i = 0; i < wanted_.size(); ++i)
      if (wanted_[i] == state) states[i] = x;
  };
  keep(0);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i](x, rotary, seen);
    const bool is_last = static_cast<std::int64_t>(i) + 1 == config_.layers;
    if (is_last) x = (*norm_)(x);
    keep(static_cast<std::int64_t>(i) + 1);
  }
  return states;
}

std::vector<std::string> Qwen3Encoder::unread() const {
  std::vector<std::string> beginnings{"lm_head."};
  for (auto i = static_cast<std::int64_t>(layers_.size()); i < config_.layers; ++i)
    beginnings.push_back("layers." + std::to_string(i) + ".");
  if (!norm_) beginnings.push_back("norm.");
  return beginnings;
}

std::string qwen3_tensor_name(const std::string& stored) {
  const std::string prefix = "model.";
  return stored.starts_with(prefix) ? stored.substr(prefix.size()) : stored;
}

}  // namespace sdgen
