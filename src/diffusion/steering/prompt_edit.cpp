#include "diffusion/steering/prompt_edit.h"

#include <algorithm>

namespace sdgen {
namespace {

// How long the layout is held, in parts of the run (the paper's figures: 0.8 and 0.4 keep the scene and leave
// room for another form).
constexpr double kCrossUntil = 0.8;
constexpr double kSelfUntil = 0.4;

using Kind = PromptWord::Kind;
using Pair = std::pair<std::size_t, std::size_t>;

// Words that were dropped from a text that is too long have no tokens, and nothing to be aligned. That also
// bounds the table below, which has a cell for each pair of words.
bool is_text(const PromptWord& word) {
  return (word.kind == Kind::kWord || word.kind == Kind::kPunctuation) && !word.tokens.empty();
}

std::vector<PromptWord> texts(const std::vector<PromptWord>& words) {
  std::vector<PromptWord> result;
  std::copy_if(words.begin(), words.end(), std::back_inserter(result), is_text);
  return result;
}

// The longest common subsequence of words, as pairs of indexes.
std::vector<Pair> common_words(const std::vector<PromptWord>& a, const std::vector<PromptWord>& b) {
  std::vector<std::vector<int>> length(a.size() + 1, std::vector<int>(b.size() + 1, 0));
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      length[i][j] =
          a[i].text == b[j].text ? length[i + 1][j + 1] + 1 : std::max(length[i + 1][j], length[i][j + 1]);
  std::vector<Pair> pairs;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].text == b[j].text)
      pairs.emplace_back(i++, j++);
    else if (length[i + 1][j] >= length[i][j + 1])
      ++i;
    else
      ++j;
  }
  return pairs;
}

// The same, with the words that stand between common ones paired in order: what was exchanged.
std::vector<Pair> paired_words(const std::vector<PromptWord>& a, const std::vector<PromptWord>& b) {
  std::vector<Pair> common = common_words(a, b), pairs;
  common.emplace_back(a.size(), b.size());
  std::size_t i = 0, j = 0;
  for (const auto& [next_a, next_b] : common) {
    while (i < next_a && j < next_b) pairs.emplace_back(i++, j++);
    if (next_a < a.size()) pairs.emplace_back(next_a, next_b);
    i = next_a + 1;
    j = next_b + 1;
  }
  return pairs;
}

const PromptWord* find(const std::vector<PromptWord>& words, Kind kind) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const PromptWord& word) { return word.kind == kind; });
  return found == words.end() ? nullptr : &*found;
}

}  // namespace

Tensor align_prompts(const std::vector<PromptWord>& base, const std::vector<PromptWord>& changed,
                     std::int64_t tokens) {
  Tensor alignment = at::zeros({tokens, tokens});
  auto cells = alignment.accessor<float, 2>();
  const auto pair = [&](const PromptWord& from, const PromptWord& to) {
    const bool alike = from.tokens.size() == to.tokens.size();
    for (std::size_t i = 0; i < to.tokens.size(); ++i) {
      if (alike) cells[from.tokens[i]][to.tokens[i]] = 1.0F;
      for (std::size_t k = 0; !alike && k < from.tokens.size(); ++k)
        cells[from.tokens[k]][to.tokens[i]] = 1.0F / static_cast<float>(to.tokens.size());
    }
  };
  const std::vector<PromptWord> a = texts(base), b = texts(changed);
  for (const auto& [i, j] : paired_words(a, b)) pair(a[i], b[j]);
  for (const Kind kind : {Kind::kStart, Kind::kEnd, Kind::kPadding}) {
    const PromptWord *const from = find(base, kind), *const to = find(changed, kind);
    if (from && to) pair(*from, *to);
  }
  return alignment;
}

PromptEdit::PromptEdit(std::int64_t rows, std::int64_t base, std::int64_t changed, Tensor alignment)
    : rows_(rows),
      base_(base),
      changed_(changed),
      alignment_(std::move(alignment)),
      own_((alignment_.sum(0) == 0).to(at::kFloat)) {}

Tensor PromptEdit::word_weights(const AttentionCall& call) const {
  if (done_ >= kCrossUntil) return {};
  Tensor weights = at::softmax(attention_scores(call.q, call.k, call.heads), -1);  // [M, heads, L, S]
  const Tensor changed = at::matmul(weights[base_], alignment_.to(weights.device())) +
                         weights[changed_] * own_.to(weights.device());
  // Not brought back to a sum of one, as the method's authors leave it: a patch that looked at dropped words
  // alone has nothing to share out.
  weights[changed_].copy_(changed);
  return weights;
}

Tensor PromptEdit::attend_patches(const AttentionCall& call, std::int64_t finest) const {
  // Fine maps hold texture, which is free to change; rows before the first word are no texts yet.
  const bool coarse = call.q.size(1) < finest;
  if (done_ >= kSelfUntil || !coarse || call.q.size(0) != rows_) return {};
  Tensor q = call.q.clone(), k = call.k.clone();
  q[changed_].copy_(call.q[base_]);
  k[changed_].copy_(call.k[base_]);
  return multi_head_attention(q, k, call.v, call.heads);
}

}  // namespace sdgen
