#include "diffusion/steering/focus.h"

#include <map>

namespace sdgen {
namespace {

constexpr double kHidden = -1e4;
// Inside of boxes, for the tokens around the words. With the first built-in model, at -2 and at -4
// fewer words found their place.
constexpr double kSubdued = -3.0;

// The part of each of `count` cells that [begin, end] of 0..1 covers.
Tensor cover(double begin, double end, std::int64_t count) {
  const Tensor left = at::arange(count, at::kDouble) / static_cast<double>(count);
  const Tensor right = left + 1.0 / static_cast<double>(count);
  const Tensor width = right.clamp_max(end) - left.clamp_min(begin);
  return (width.clamp_min(0) * static_cast<double>(count)).to(at::kFloat);
}

}  // namespace

Tensor box_cover(const WordBox& box, std::int64_t height, std::int64_t width) {
  return cover(box.y0, box.y1, height).unsqueeze(1) * cover(box.x0, box.x1, width).unsqueeze(0);
}

Focus::Focus(std::int64_t first_row, std::int64_t tokens, std::vector<FocusedRow> rows)
    : first_row_(first_row), tokens_(tokens), rows_(std::move(rows)) {}

Tensor Focus::mask(std::int64_t rows, std::int64_t height, std::int64_t width, std::int64_t tokens) const {
  Tensor mask = at::full({rows, 1, height * width, tokens}, kHidden, at::kFloat);
  mask.narrow(3, 0, tokens_).zero_();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Tensor of_row = mask[first_row_ + static_cast<std::int64_t>(i)][0];  // [L, S]
    Tensor in_any = at::zeros({height * width}, at::kBool);
    std::map<int, Tensor> seen_from;  // of each token: the boxes of all words that it is part of
    for (const FocusedWord& word : rows_[i].words) {
      const Tensor inside = (box_cover(word.box, height, width) >= 0.5).flatten();
      of_row.narrow(1, word.own_first, word.own_count).masked_fill_(inside.unsqueeze(1), 0.0);
      for (const int token : word.tokens) {
        Tensor& boxes = seen_from[token];
        boxes = boxes.defined() ? boxes.logical_or(inside) : inside;
      }
      in_any.logical_or_(inside);
    }
    for (const auto& [token, boxes] : seen_from)
      of_row.select(1, token).masked_fill_(boxes.logical_not(), kHidden);
    for (const int token : rows_[i].around) of_row.select(1, token).masked_fill_(in_any, kSubdued);
  }
  return mask;
}

Tensor Focus::weights(const AttentionCall& call) const {
  const Tensor scores = attention_scores(call.q, call.k, call.heads);  // [M, heads, L, S]
  const Tensor seen = mask(scores.size(0), call.height, call.width, scores.size(3)).to(scores.device());
  return at::softmax(scores + seen, -1);
}

}  // namespace sdgen
