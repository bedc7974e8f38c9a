#include "diffusion/steering/attention_record.h"

namespace sdgen {

AttentionRecord::AttentionRecord(std::int64_t first_row, std::int64_t rows, bool keep_evaluations,
                                 Tensor fold)
    : first_row_(first_row), rows_(rows), keep_evaluations_(keep_evaluations), fold_(std::move(fold)) {}

void AttentionRecord::Sum::add(const Tensor& more) {
  maps = maps.defined() ? maps.add_(more) : more.clone();
  ++layers;
}

void AttentionRecord::add(const AttentionCall& call, const Tensor& weights) {
  const auto of_rows = [&](const Tensor& x) { return x.narrow(0, first_row_, rows_); };
  const Tensor used = weights.defined()
                          ? of_rows(weights)
                          : at::softmax(attention_scores(of_rows(call.q), of_rows(call.k), call.heads), -1);
  Tensor mean = used.mean(1);  // [rows, L, S]
  if (fold_.defined()) mean = at::matmul(mean, fold_.to(mean.device()));
  const Tensor maps = mean.transpose(1, 2).unflatten(2, {call.height, call.width});
  const Size size{call.height, call.width};
  whole_[size].add(maps);
  if (keep_evaluations_) current_[size].add(maps);
}

void AttentionRecord::end_evaluation() {
  for (auto& [size, sum] : current_) {
    kept_[size].maps.push_back(sum.maps.div_(sum.layers).to(at::kCPU));
    kept_[size].layers = sum.layers;
  }
  current_.clear();
}

Tensor AttentionRecord::token_maps(std::int64_t h, std::int64_t w) const {
  Tensor sum;
  int layers = 0;
  for (const auto& [size, of_size] : whole_) {
    // Resizing is linear, so that the sum of a resolution's layers is resized once.
    const Tensor resized = at::upsample_bilinear2d(of_size.maps, {h, w}, /*align_corners=*/false);
    sum = sum.defined() ? sum.add_(resized) : resized.clone();
    layers += of_size.layers;
  }
  return sum.defined() ? sum.div_(layers).to(at::kCPU) : sum;
}

std::vector<AttentionRecord::Resolution> AttentionRecord::resolutions() const {
  std::vector<Resolution> result;
  for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept)
    result.push_back(
        {kept->first.first, kept->first.second, kept->second.layers, at::stack(kept->second.maps)});
  return result;
}

}  // namespace sdgen
