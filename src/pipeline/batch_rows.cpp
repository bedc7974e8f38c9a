#include "pipeline/batch_rows.h"

#include <algorithm>

#include "base/errors.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

// A focused word by itself, as the prompt spells it.
std::string focused_text(const Request& request, const WordBox& box) {
  const std::vector<PromptWord> words = prompt_words(request.prompt);
  const std::vector<std::size_t> place = find_words(words, box.word, "focus").front();
  const std::size_t begin = words[place.front()].begin;
  return request.prompt.substr(begin, words[place.back()].end - begin);
}

// The focused words of a row; those of an earlier picture are not steered.
const std::vector<WordBox>& focus_of(const BatchRow& row) {
  static const std::vector<WordBox> kNone;
  return row.is_picture ? row.request.focus : kNone;
}

const std::vector<WordWeight>& attend_of(const BatchRow& row) {
  static const std::vector<WordWeight> kNone;
  return row.is_picture ? row.request.attend : kNone;
}

}  // namespace

std::vector<std::string> texts_of(const Request& request) {
  std::vector<std::string> texts = {request.prompt};
  if (request.edit_from) texts.push_back(*request.edit_from);
  for (const WordBox& box : request.focus) texts.push_back(focused_text(request, box));
  if (*request.guidance_scale > 1) texts.push_back(request.negative_prompt);
  return texts;
}

std::vector<BatchRow> rows_of(const std::vector<Job>& batch, const std::vector<Request>& requests) {
  std::vector<BatchRow> rows;
  for (const Job& job : batch) {
    const Request& request = requests[job.request_index];
    if (request.edit_from) rows.push_back({request, *request.edit_from, job.seed, false});
    rows.push_back({request, request.prompt, job.seed, true});
  }
  return rows;
}

Conditioning conditioning_of(const std::vector<BatchRow>& rows, const Contexts& contexts) {
  std::size_t most = 0;  // focused words of a row
  for (const BatchRow& row : rows) most = std::max(most, focus_of(row).size());
  const auto longer = [&](std::vector<Tensor> parts) {
    while (parts.size() < most + 1) parts.push_back(at::zeros_like(parts.front()));
    return most == 0 ? parts.front() : at::cat(parts, 1);
  };
  const double guidance_scale = *rows.front().request.guidance_scale;
  std::vector<Tensor> words, without;
  for (const BatchRow& row : rows) {
    std::vector<Tensor> parts = {contexts.at(row.prompt).hidden};
    for (const WordBox& box : focus_of(row))
      parts.push_back(contexts.at(focused_text(row.request, box)).hidden);
    words.push_back(longer(std::move(parts)));
    if (guidance_scale > 1) without.push_back(longer({contexts.at(row.request.negative_prompt).hidden}));
  }
  return {at::cat(words), without.empty() ? Tensor() : at::cat(without), guidance_scale, {}};
}

std::unique_ptr<Steering> steering_of(const std::vector<BatchRow>& rows, const Contexts& contexts,
                                      std::int64_t height, std::int64_t width, std::size_t evaluations,
                                      const RunOptions& options) {
  std::vector<SteeredRow> steered;
  Steering::Setting setting;
  setting.pictures = 0;
  for (const BatchRow& row : rows) {
    setting.pictures += row.is_picture ? 1 : 0;
    setting.edit |= !row.is_picture;
    SteeredRow& steer =
        steered.emplace_back(SteeredRow{contexts.at(row.prompt).words, attend_of(row), focus_of(row)});
    for (const WordBox& box : steer.focus)
      steer.focus_words.push_back(&contexts.at(focused_text(row.request, box)).words);
  }
  setting.guided = *rows.front().request.guidance_scale > 1;
  setting.tokens = contexts.at(rows.front().prompt).hidden.size(1);
  setting.patches = height * width;
  setting.evaluations = evaluations;
  return std::make_unique<Steering>(steered, setting, options);
}

std::vector<std::string> unsteered_words(const Request& request, const std::vector<PromptWord>& words) {
  std::vector<std::string> lines;
  const auto check = [&](const WordName& name, const char* what) {
    for (const std::vector<std::size_t>& place : find_words(words, name, what))
      for (const std::size_t word : place)
        if (words[word].tokens.empty())
          lines.push_back(concat(what, " '", name, "': ", words[word].text,
                                 " is past the text encoder's length, so that it is not steered"));
  };
  for (const WordWeight& weight : request.attend) check(weight.word, "attend");
  for (const WordBox& box : request.focus) check(box.word, "focus");
  return lines;
}

}  // namespace sdgen
