#include "run/steering.h"

#include <algorithm>

#include "text/prompt_words.h"

namespace sdgen {
namespace {

// The tokens of the words that `name` means.
std::vector<int> tokens_of(const std::vector<PromptWord>& words, const WordName& name, const char* what) {
  std::vector<int> tokens;
  for (const std::vector<std::size_t>& place : find_words(words, name, what))
    for (const std::size_t word : place)
      tokens.insert(tokens.end(), words[word].tokens.begin(), words[word].tokens.end());
  return tokens;
}

bool is_behind(const PromptWord& word) {
  return word.kind == PromptWord::Kind::kEnd || word.kind == PromptWord::Kind::kPadding;
}

// Each focused word by itself stands behind the prompt, with as many tokens as that has.
std::vector<FocusedRow> focused(const std::vector<SteeredRow>& rows, std::int64_t tokens) {
  std::vector<FocusedRow> result;
  for (const SteeredRow& row : rows) {
    FocusedRow& of_row = result.emplace_back();
    for (const WordBox& box : row.focus) {
      std::vector<int> in_prompt = tokens_of(row.words, box.word, "focus");
      const std::int64_t own = in_prompt.empty() ? 0 : tokens;  // none of a word past the encoder's length
      of_row.words.push_back(
          {box, std::move(in_prompt), tokens * static_cast<std::int64_t>(of_row.words.size() + 1), own});
    }
    for (const PromptWord& word : row.words)
      if (is_behind(word) && !row.focus.empty())
        of_row.around.insert(of_row.around.end(), word.tokens.begin(), word.tokens.end());
  }
  return result;
}

// The first token of that kind in the prompt, else its last.
int token_around(const std::vector<PromptWord>& words, PromptWord::Kind kind) {
  for (const PromptWord& word : words)
    if (word.kind == kind) return word.tokens.front();
  return words.back().tokens.back();
}

// The tokens of the prompt that the tokens of one focused word by itself stand for.
void fold_word(const SteeredRow& row, const std::vector<PromptWord>& own, const FocusedWord& word,
               Tensor& fold) {
  std::size_t next = 0;  // of the word's tokens in the prompt
  for (const PromptWord& part : own) {
    const bool is_text = part.kind == PromptWord::Kind::kWord || part.kind == PromptWord::Kind::kPunctuation;
    for (const int token : part.tokens)
      fold[word.own_first + token][is_text ? word.tokens[std::min(next++, word.tokens.size() - 1)]
                                           : token_around(row.words, part.kind)] = 1.0;
  }
}

std::size_t most_focused(const std::vector<SteeredRow>& rows) {
  std::size_t most = 0;
  for (const SteeredRow& row : rows) most = std::max(most, row.focus.size());
  return most;
}

// See AttentionRecord; undefined where no word is focused.
Tensor fold_of(const std::vector<SteeredRow>& rows, const std::vector<FocusedRow>& focused,
               std::int64_t tokens) {
  if (most_focused(rows) == 0) return {};
  const auto attended = tokens * static_cast<std::int64_t>(most_focused(rows) + 1);
  Tensor fold = at::zeros({static_cast<std::int64_t>(rows.size()), attended, tokens});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Tensor of_row = fold[static_cast<std::int64_t>(i)];
    of_row.narrow(0, 0, tokens).copy_(at::eye(tokens));
    for (std::size_t k = 0; k < rows[i].focus.size(); ++k)
      if (!focused[i].words[k].tokens.empty())
        fold_word(rows[i], *rows[i].focus_words[k], focused[i].words[k], of_row);
  }
  return fold;
}

// See Conditioning. A focused word by itself weighs what it weighs in the prompt.
Tensor weights_of(const std::vector<SteeredRow>& rows, std::int64_t tokens, const Tensor& fold) {
  const auto weighs = [](const SteeredRow& row) { return !row.attend.empty(); };
  if (std::none_of(rows.begin(), rows.end(), weighs)) return {};
  Tensor weights = at::ones({static_cast<std::int64_t>(rows.size()), tokens});
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (const WordWeight& weight : rows[row].attend)
      for (const int token : tokens_of(rows[row].words, weight.word, "attend"))
        weights[static_cast<std::int64_t>(row)][token] *= weight.weight;
  return fold.defined() ? at::matmul(fold, weights.unsqueeze(-1)).squeeze(-1) : weights;
}

std::vector<float> numbers(const Tensor& tensor) {
  const Tensor plain = tensor.contiguous();
  return {plain.const_data_ptr<float>(), plain.const_data_ptr<float>() + plain.numel()};
}

}  // namespace

Steering::Steering(const std::vector<SteeredRow>& rows, const Setting& setting, const RunOptions& options)
    : setting_(setting) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t first = (setting.branches - 1) * count;  // the rows without the words come first
  const auto pictures = static_cast<std::int64_t>(setting.pictures);
  for (std::size_t row = rows.size() - setting.pictures; row < rows.size(); ++row)
    words_.push_back(rows[row].words);
  const std::vector<FocusedRow> focus = focused(rows, setting.tokens);
  const Tensor fold = fold_of(rows, focus, setting.tokens);
  token_weights_ = weights_of(rows, setting.tokens, fold);
  if (fold.defined()) focus_.emplace(first, setting.tokens, focus);
  if (options.attention)
    record_.emplace(first + count - pictures, pictures, options.attention_steps,
                    fold.defined() ? fold.narrow(0, count - pictures, pictures) : fold);
  if (setting.edit)
    edit_.emplace(first + count, first, first + 1,
                  align_prompts(rows[0].words, rows[1].words, setting.tokens));
}

void Steering::join(Watchers& watchers) {
  AttentionHooks& hooks = watchers.attention;
  if (record_)
    hooks.on_cross = [this](const AttentionCall& call, const Tensor& weights) {
      record_->add(call, weights);
    };
  if (focus_) hooks.cross_weights = [this](const AttentionCall& call) { return focus_->weights(call); };
  if (edit_) {
    hooks.cross_weights = [this](const AttentionCall& call) { return edit_->word_weights(call); };
    hooks.self = [this](const AttentionCall& call) { return edit_->attend_patches(call, setting_.patches); };
  }
  if (!record_ && !edit_) return;
  watchers.before = [this](const Step& step) { begin_evaluation(step); };
  watchers.after = [this, next = std::move(watchers.after)](const Tensor& x, const Tensor& output,
                                                            const Step& step) {
    end_evaluation();
    if (next) next(x, output, step);
  };
}

void Steering::begin_evaluation(const Step& step) {
  if (edit_)
    edit_->begin_evaluation(static_cast<double>(step.index - setting_.first_step) /
                            static_cast<double>(setting_.evaluations));
}

void Steering::end_evaluation() {
  ++recorded_;
  if (record_) record_->end_evaluation();
}

std::shared_ptr<const AttentionMaps> Steering::maps(std::size_t picture, std::int64_t h,
                                                    std::int64_t w) const {
  if (!record_ || recorded_ == 0) return nullptr;
  const auto row = static_cast<std::int64_t>(picture);
  const Tensor token_maps = record_->token_maps(h, w);
  if (!token_maps.defined()) return nullptr;  // a UNet without cross-attention
  auto maps = std::make_shared<AttentionMaps>();
  maps->tokens = static_cast<int>(token_maps.size(1));
  maps->height = static_cast<int>(h);
  maps->width = static_cast<int>(w);
  maps->token_maps = numbers(token_maps[row]);
  maps->words = words_[picture];
  maps->evaluations = static_cast<int>(recorded_);
  for (const AttentionRecord::Resolution& resolution : record_->resolutions())
    maps->steps.push_back({static_cast<int>(resolution.height), static_cast<int>(resolution.width),
                           resolution.layers, numbers(resolution.maps.select(1, row))});
  return maps;
}

}  // namespace sdgen
