#include "run/batch_rows.h"

#include <algorithm>

#include "plain/errors.h"
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

// An empty negative prompt may mean no text at all.
bool is_no_text(const Request& request, const Model& model) {
  return model.zeros_for_empty_prompt && request.negative_prompt.empty();
}

PromptEmbeds negative_embeds(const Request& request, const PromptEmbedsOf& embeds, const PromptEmbeds& words,
                             const Model& model) {
  if (!is_no_text(request, model)) return embeds.at({request.negative_prompt});
  return {.hidden = at::zeros_like(words.hidden),
          .pooled = words.pooled.defined() ? at::zeros_like(words.pooled) : Tensor(),
          .words = {},
          .dropped = {}};
}

// The numbers of "SDXL: Improving Latent Diffusion Models ...", section 2.2 (the picture's own size, not
// cropped); the refiner's are a score of beauty in the last place, low where the words are not wanted.
Tensor time_ids_of(const Request& request, const Model& model, bool is_negative) {
  const auto height = static_cast<float>(*request.height), width = static_cast<float>(*request.width);
  std::vector<float> time_ids = {height, width, 0.0F, 0.0F};
  if (model.time_id_count == 5)
    time_ids.push_back(is_negative ? 2.5F : 6.0F);
  else
    time_ids.insert(time_ids.end(), {height, width});
  return at::tensor(time_ids).unsqueeze(0);  // [1, n]
}

// What the UNet is told besides the words, of the rows in the order of Conditioning.
AddedConditions added_conditions(const Conditioning& conditioning, const std::vector<Tensor>& pooled,
                                 const std::vector<Tensor>& negative_pooled, const Request& settings,
                                 const Model& model) {
  AddedConditions added;
  const at::TensorOptions options = conditioning.conditional.options().dtype(at::kFloat);
  if (model.network->takes_guidance_scale())
    added.guidance_scale = at::full({1}, conditioning.guidance_scale, options);
  if (model.time_id_count == 0) return added;
  std::vector<Tensor> summaries, time_ids;
  const auto rows = static_cast<std::int64_t>(pooled.size());
  for (int branch = 0; branch < conditioning.branches(); ++branch) {
    const bool with_words = branch + 1 == conditioning.branches();
    const std::vector<Tensor>& of_rows = with_words ? pooled : negative_pooled;
    summaries.insert(summaries.end(), of_rows.begin(), of_rows.end());
    time_ids.push_back(time_ids_of(settings, model, !with_words).expand({rows, -1}));
  }
  added.pooled = at::cat(summaries);
  added.time_ids = at::cat(time_ids).to(options.device());
  return added;
}

// Texts of different lengths are filled up with zeros to the longest; their own lengths, in the order of
// Conditioning. Empty where all are of one.
std::vector<std::int64_t> filled_up(std::vector<Tensor>& unconditional, std::vector<Tensor>& conditional) {
  std::vector<std::int64_t> lengths;
  for (const std::vector<Tensor>* const texts : {&unconditional, &conditional})
    for (const Tensor& text : *texts) lengths.push_back(text.size(1));
  const auto [least, most] = std::minmax_element(lengths.begin(), lengths.end());
  if (*least == *most) return {};
  for (std::vector<Tensor>* const texts : {&unconditional, &conditional})
    for (Tensor& text : *texts) text = at::constant_pad_nd(text, {0, 0, 0, *most - text.size(1)});
  return lengths;
}

}  // namespace

bool is_guided(const Request& request, const Model& model) {
  if (model.network->takes_guidance_scale()) return false;
  // diffusers' InstructPix2Pix asks with and without both, or not at all.
  const bool asks_picture = model.image_input != ImageInput::kPicture || *request.image_guidance_scale >= 1;
  return model.guidance_of(*request.guidance_scale) > 1 && asks_picture;
}

int guidance_branches_of(const Request& request, const Model& model) {
  if (!is_guided(request, model)) return 1;
  return model.image_input == ImageInput::kPicture ? 3 : 2;
}

TextToEncode prompt_text(const Request& request, const std::string& prompt) {
  return {prompt, request.clip_skip.value_or(0)};
}

std::vector<TextToEncode> texts_of(const Request& request, const Model& model) {
  std::vector<TextToEncode> texts = {prompt_text(request, request.prompt)};
  if (request.edit_from) texts.push_back(prompt_text(request, *request.edit_from));
  for (const WordBox& box : request.focus) texts.push_back(prompt_text(request, focused_text(request, box)));
  if (is_guided(request, model) && !is_no_text(request, model)) texts.push_back({request.negative_prompt});
  return texts;
}

std::vector<BatchRow> rows_of(const Batch& batch, const std::vector<Request>& requests) {
  std::vector<BatchRow> rows;
  for (const PictureJob& job : batch) {
    const Request& request = requests[job.request_index];
    if (request.edit_from) rows.push_back({request, *request.edit_from, job.seed, false});
    rows.push_back({request, request.prompt, job.seed, true});
  }
  return rows;
}

Conditioning conditioning_of(const std::vector<BatchRow>& rows, const PromptEmbedsOf& embeds,
                             const Model& model) {
  std::size_t most = 0;  // focused words of a row
  for (const BatchRow& row : rows) most = std::max(most, focus_of(row).size());
  const auto longer = [&](std::vector<Tensor> parts) {
    while (parts.size() < most + 1) parts.push_back(at::zeros_like(parts.front()));
    return most == 0 ? parts.front() : at::cat(parts, 1);
  };
  const Request& settings = rows.front().request;
  Conditioning conditioning;
  conditioning.guidance_scale = model.guidance_of(*settings.guidance_scale);
  conditioning.guidance_rescale = *settings.guidance_rescale;
  if (model.image_input == ImageInput::kPicture)
    conditioning.image_guidance_scale = settings.image_guidance_scale;
  std::vector<Tensor> conditional, unconditional, pooled, negative_pooled;
  for (const BatchRow& row : rows) {
    const PromptEmbeds& context = embeds.at(prompt_text(row.request, row.prompt));
    std::vector<Tensor> parts = {context.hidden};
    for (const WordBox& box : focus_of(row))
      parts.push_back(embeds.at(prompt_text(row.request, focused_text(row.request, box))).hidden);
    conditional.push_back(longer(std::move(parts)));
    pooled.push_back(context.pooled);
    if (!is_guided(settings, model)) continue;
    const PromptEmbeds negative = negative_embeds(row.request, embeds, context, model);
    unconditional.push_back(longer({negative.hidden}));
    negative_pooled.push_back(negative.pooled);
  }
  conditioning.lengths = filled_up(unconditional, conditional);
  conditioning.conditional = at::cat(conditional);
  if (!unconditional.empty()) conditioning.unconditional = at::cat(unconditional);
  conditioning.added = added_conditions(conditioning, pooled, negative_pooled, settings, model);
  return conditioning;
}

std::unique_ptr<Steering> steering_of(const std::vector<BatchRow>& rows, const PromptEmbedsOf& embeds,
                                      int branches, std::int64_t height, std::int64_t width,
                                      const SamplingPlan& plan, const RunOptions& options) {
  std::vector<SteeredRow> steered;
  Steering::Setting setting;
  setting.pictures = 0;
  for (const BatchRow& row : rows) {
    const PromptEmbeds& text = embeds.at(prompt_text(row.request, row.prompt));
    setting.tokens = std::max(setting.tokens, text.hidden.size(1));
    setting.pictures += row.is_picture ? 1 : 0;
    setting.edit |= !row.is_picture;
    SteeredRow& steer = steered.emplace_back(SteeredRow{text.words, attend_of(row), focus_of(row)});
    for (const WordBox& box : steer.focus)
      steer.focus_words.push_back(&embeds.at(prompt_text(row.request, focused_text(row.request, box))).words);
  }
  setting.branches = branches;
  setting.patches = height * width;
  setting.first_step = plan.first;
  setting.evaluations = plan.steps.size();
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
