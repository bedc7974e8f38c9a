// What watches and steers the attention of one batch: maps of it, words that weigh more or less, words held
// to a place, a prompt changed from another.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "diffusion/guidance.h"
#include "diffusion/steering/attention_record.h"
#include "diffusion/steering/focus.h"
#include "diffusion/steering/prompt_edit.h"
#include "sdgen/attention.h"
#include "sdgen/observer.h"
#include "sdgen/request.h"

namespace sdgen {

// One row of a batch: a picture, or the earlier one that it is changed from.
struct SteeredRow {
  const std::vector<PromptWord>& words;
  const std::vector<WordWeight>& attend;
  const std::vector<WordBox>& focus;
  std::vector<const std::vector<PromptWord>*> focus_words{};  // of each focused word by itself
};

class Steering {
 public:
  // The last `pictures` of `rows` are recorded. `edit`: there are two rows, and the second is the first one
  // changed. The network sees `branches` times the rows, with the words last. `tokens` is the longest
  // text's length; `patches` the number of latents, h * w.
  struct Setting {
    std::size_t pictures = 1;
    bool edit = false;
    int branches = 1;
    std::int64_t tokens = 0;
    std::int64_t patches = 0;
    std::size_t first_step = 0;  // of the run's, by Step::index
    std::size_t evaluations = 0;
  };
  Steering(const std::vector<SteeredRow>& rows, const Setting& setting, const RunOptions& options);
  Steering(const Steering&) = delete;  // the watchers point at it
  Steering& operator=(const Steering&) = delete;

  // See Conditioning::token_weights; undefined where every word weighs one.
  Tensor token_weights() const { return token_weights_; }

  // Joins what it watches to `watchers`. It must outlive the denoiser.
  void join(Watchers& watchers);

  // Of picture i, at h x w latents. nullptr where nothing was recorded.
  std::shared_ptr<const AttentionMaps> maps(std::size_t picture, std::int64_t h, std::int64_t w) const;

 private:
  void begin_evaluation(const Step& step);
  void end_evaluation();

  Setting setting_;
  std::vector<std::vector<PromptWord>> words_;  // of the pictures
  Tensor token_weights_;
  std::optional<AttentionRecord> record_;
  std::optional<Focus> focus_;
  std::optional<PromptEdit> edit_;
  std::size_t recorded_ = 0;  // evaluations
};

}  // namespace sdgen
