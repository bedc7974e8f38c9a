// What patches attended to while a run was drawn: the cross-attention of every evaluation, summed up.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "nn/attention.h"

namespace sdgen {

class AttentionRecord {
 public:
  // Of the texts `first_row` and the `rows` - 1 after it; others (the empty prompt of guidance) are not
  // looked at. `keep_evaluations` also keeps each evaluation by itself.
  AttentionRecord(std::int64_t first_row, std::int64_t rows, bool keep_evaluations = false);

  // One layer of the current evaluation.
  void add(const AttentionCall& call);
  void end_evaluation();

  // The mean over heads, layers and evaluations, each layer resized bilinearly (align_corners=False):
  // [rows, S, h, w] float32. Undefined where nothing was recorded.
  Tensor token_maps(std::int64_t h, std::int64_t w) const;

  // The layers of one resolution, the mean over heads and layers, each evaluation apart.
  struct Resolution {
    std::int64_t height, width;
    Tensor maps;  // [evaluations, rows, S, height, width] float32
  };
  std::vector<Resolution> resolutions() const;  // the finest first

 private:
  struct Sum {
    Tensor maps;  // [rows, S, height, width]
    int layers = 0;

    void add(const Tensor& more);
  };
  using Size = std::pair<std::int64_t, std::int64_t>;

  std::int64_t first_row_, rows_;
  bool keep_evaluations_;
  std::map<Size, Sum> whole_, current_;
  std::map<Size, std::vector<Tensor>> kept_;
};

}  // namespace sdgen
