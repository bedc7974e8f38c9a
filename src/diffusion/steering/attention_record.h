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
  // looked at. `keep_evaluations` also keeps each evaluation by itself. `fold`, where defined, says for which
  // tokens of the prompt those attended to stand: [rows, attended, S] float32.
  AttentionRecord(std::int64_t first_row, std::int64_t rows, bool keep_evaluations = false, Tensor fold = {});

  // One layer of the current evaluation; see AttentionHooks::on_cross.
  void add(const AttentionCall& call, const Tensor& weights);
  void end_evaluation();

  // The mean over heads, layers and evaluations, each layer resized bilinearly (align_corners=False):
  // [rows, S, h, w] float32. Undefined where nothing was recorded.
  Tensor token_maps(std::int64_t h, std::int64_t w) const;

  // The layers of one resolution, the mean over heads and layers, each evaluation apart.
  struct Resolution {
    std::int64_t height, width;
    int layers;
    Tensor maps;  // [evaluations, rows, S, height, width] float32
  };
  std::vector<Resolution> resolutions() const;  // the finest first

 private:
  struct Sum {
    Tensor maps;  // [rows, S, height, width]
    int layers = 0;

    void add(const Tensor& more);
  };
  struct Kept {
    std::vector<Tensor> maps;  // of each evaluation
    int layers = 0;
  };
  using Size = std::pair<std::int64_t, std::int64_t>;

  std::int64_t first_row_, rows_;
  bool keep_evaluations_;
  Tensor fold_;
  std::map<Size, Sum> whole_, current_;
  std::map<Size, Kept> kept_;
};

}  // namespace sdgen
