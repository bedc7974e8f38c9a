// What comes before a run draws: the plan of its memory, texts and starting pictures.
#include "run/diffusion_drawing.h"

#include <algorithm>

#include "base/memory.h"
#include "sdgen/printable.h"
#include "text/conditioner.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

// Texts held encoded at a time: 512 of Stable Diffusion's are 120 MB.
constexpr std::size_t kMaxTexts = 512;

constexpr std::size_t kLongestQuote = 120;  // bytes of a text in a warning

// What no way of computing can keep to.
std::string too_much_text(const MemoryPlan& plan, const MemoryUse& use) {
  const auto mebibytes = [](std::uint64_t bytes) { return concat((bytes + (1 << 20) - 1) >> 20, " MiB"); };
  return concat(use.limit ? "memory-limit" : "low-memory", ": this run may take about ",
                mebibytes(plan.peak_bytes), ", more than the ", mebibytes(*plan.available_bytes),
                " there are; ", use.low_memory ? "" : "low-memory, ",
                "smaller pictures or a smaller batch-size need less");
}

}  // namespace

std::pair<std::size_t, std::vector<TextToEncode>> DiffusionDrawing::next_texts(std::size_t first) const {
  std::set<TextToEncode> known;
  std::vector<TextToEncode> texts;
  std::size_t end = first;
  for (; end < context_.batches.size(); ++end) {
    std::vector<TextToEncode> added;
    for (const PictureJob& job : context_.batches[end])
      for (const Worker& worker : workers_)
        for (const TextToEncode& text : texts_of(context_.requests[job.request_index], worker.model))
          if (known.insert(text).second) added.push_back(text);
    if (end > first && texts.size() + added.size() > kMaxTexts) break;
    texts.insert(texts.end(), added.begin(), added.end());
  }
  return {end, texts};
}

void DiffusionDrawing::encode_texts(Worker& worker, const std::vector<TextToEncode>& texts) {
  const bool has_room = session_.keeps() && worker.embeds.size() + texts.size() <= kMaxTexts;
  if (!has_room) {
    PromptEmbedsOf kept;
    for (const TextToEncode& text : texts)
      if (const auto known = worker.embeds.find(text); known != worker.embeds.end()) kept.insert(*known);
    worker.embeds = std::move(kept);
  }
  for (const TextToEncode& text : texts) {
    if (context_.teller.should_stop()) throw Stopped{};
    const bool is_known = worker.embeds.contains(text);
    if (!is_known) encode(worker, text);
    const bool is_told = is_known && (!session_.keeps() || told_.contains(text));
    if (&worker != &workers_.front() || is_told) continue;
    if (session_.keeps()) told_.insert(text);
    tell_of(worker, text);
  }
  if (!session_.keeps()) worker.components.release_text_encoders();
}

// A small model draws something for any word: who reads of it need not wonder.
void DiffusionDrawing::warn_of_words(const Model& model, const std::string& text,
                                     const std::vector<PromptWord>& words) {
  const std::vector<std::string> beyond = beyond_taught(model.taught, words);
  if (!beyond.empty())
    context_.teller.warn_once(
        concat("'", printable(text, kLongestQuote), "': ", model.name, " ", join(beyond, "; ")));
}

// What asks for more than the model does, or for what has no effect.
void DiffusionDrawing::warn_of_requests() {
  const Worker& base = workers_.front();
  const Model& model = base.model;
  for (const Request& request : context_.requests) {
    if (request.prompt.find_first_not_of(" \t\n") == std::string::npos)
      context_.teller.warn_once("the prompt is empty: the picture may be of anything");
    if (!request.negative_prompt.empty() && !is_guided(request, model))
      context_.teller.warn_once(concat("the negative prompt has no effect at guidance-scale ",
                                       *request.guidance_scale, ": nothing is drawn away from it"));
    if (const std::string line = unusual_size(model.taught, *request.width, *request.height); !line.empty())
      context_.teller.warn_once(concat(model.name, " ", line));
    if (const std::string line = too_many_kinds(model.taught, prompt_words(request.prompt)); !line.empty())
      context_.teller.warn_once(
          concat("'", printable(request.prompt, kLongestQuote), "': ", model.name, " ", line));
  }
}

void DiffusionDrawing::encode(Worker& worker, const TextToEncode& text) {
  const Conditioner& conditioner = worker.components.conditioner(on_load_);
  const Stopwatch stopwatch;
  const WorkStage stage("text_encode", "");
  TextToEncode seen = text;
  seen.text = without_untaught_signs(worker.model.taught, text.text);
  EncodedText encoded = conditioner.encode(seen);
  synchronize(compute_);
  const double seconds = stopwatch.seconds();
  context_.teller.stage("text_encode", "", seconds);
  if (!is_finite(encoded.hidden) || (encoded.pooled.defined() && !is_finite(encoded.pooled)))
    fail_working("the text encoding is not finite (text_encoder, ", dtype_name(compute_.dtype), ")",
                 compute_.dtype == at::kFloat ? "; the weights of the model's text encoder are unusable"
                                              : "; use --dtype float32");
  worker.embeds.emplace(text, PromptEmbeds{std::move(encoded.hidden), std::move(encoded.pooled),
                                           std::move(encoded.words), std::move(encoded.dropped), seconds});
}

void DiffusionDrawing::tell_of(const Worker& worker, const TextToEncode& text) {
  const PromptEmbeds& context = worker.embeds.at(text);
  if (!context.dropped.empty() && context_.observer.on_warning)
    context_.observer.on_warning(concat("the text is longer than the model's ",
                                        worker.components.text_tokens(),
                                        " tokens; dropped: ", printable(context.dropped, kLongestQuote)));
  warn_of_words(worker.model, text.text, context.words);
}

RunSize DiffusionDrawing::run_size() const {
  RunSize size;
  size.ranker_bytes = context_.ranker_bytes;
  size.is_one_batch = context_.batches.size() == 1 && !session_.keeps();
  size.previews = context_.options.preview_every > 0 && context_.observer.on_preview;
  const Worker& base = workers_.front();
  const std::int64_t scale = base.model.vae.pixels_per_latent();
  std::set<PictureKey> start_pictures;
  std::int64_t most = 0;
  for (const Batch& batch : context_.batches) {
    const Request& request = context_.settings(batch);
    if (request.init_image) start_pictures.insert(picture_key(request));
    const std::int64_t height = *request.height / scale, width = *request.width / scale;
    const std::int64_t rows = static_cast<std::int64_t>(batch.size() + (request.edit_from ? 1 : 0)) *
                              guidance_branches_of(request, base.model);
    if (context_.options.attention || request.edit_from)
      size.network.attended =
          std::max(size.network.attended, rows * height * width * base.components.text_tokens());
    if (height * width > size.decoded_height * size.decoded_width) {
      size.decoded_height = height;
      size.decoded_width = width;
    }
    if (rows * height * width <= most) continue;
    most = rows * height * width;
    size.network.rows = rows;
    size.network.height = height;
    size.network.width = width;
  }
  size.start_pictures = static_cast<int>(start_pictures.size());
  return size;
}

void DiffusionDrawing::plan_memory_use() {
  const bool is_sparing = memory_.low_memory || memory_.limit;
  if (compute_.device.is_cpu()) keep_freed_memory();
  if (!is_sparing && !context_.observer.on_plan) return;  // it reads every weight header again
  std::vector<const Model*> models;
  for (const Worker& worker : workers_) models.push_back(&worker.model);
  const std::optional<std::uint64_t> left = memory_left(compute_.device, memory_);
  if (memory_.low_memory && !left)
    context_.teller.warn_once(concat("how much memory is free on ", device_name(compute_),
                                     " cannot be told (libtorch 2.13 can): low-memory keeps everything"));
  const PlannedRun planned = plan_memory(models, compute_, memory_, run_size(), left);
  if (planned.gives_back) give_back_freed_memory();
  if (is_sparing && planned.is_too_much()) context_.teller.warn_once(too_much_text(planned.plan, memory_));
  for (std::size_t i = 0; i < workers_.size(); ++i)
    workers_[i].components.hold_of_texts(planned.held_of_texts[i]);
  for (std::size_t i = 0; i < workers_.size(); ++i)
    if (workers_[i].components.hold_of_network(planned.held_of_networks[i])) workers_[i].recorder.forget();
  if (context_.observer.on_plan) context_.observer.on_plan(planned.plan);
}

std::size_t DiffusionDrawing::last_new_picture() const {
  std::set<PictureKey> known;
  std::size_t last = 0;
  for (std::size_t i = 0; i < context_.batches.size(); ++i) {
    const Request& request = context_.settings(context_.batches[i]);
    if (request.init_image && known.insert(picture_key(request)).second) last = i;
  }
  return last;
}

DiffusionDrawing::BatchPictures DiffusionDrawing::read_pictures(const Request& request, bool more_follow) {
  const auto read = [&](const auto& reader) {
    try {
      return reader(request);
    } catch (const Error& error) {
      throw UnreadablePicture{error};
    }
  };
  BatchPictures pictures;
  if (!request.control_image.empty())
    pictures.control =
        &session_.controls.get(control_key(request), [&] { return read(read_control_pictures); });
  if (!request.init_image) return pictures;
  const Worker& base = workers_.front();
  pictures.start = &session_.pictures.get(picture_key(request), [&] {
    const double load_before = load_seconds_;
    const Stopwatch stopwatch;
    const WorkStage stage("encode_picture", "");
    EncodedPicture encoded = encode_start_picture({base.model, compute_, base.components, on_load_},
                                                  read(read_start_picture), *request.init_image);
    context_.teller.stage("encode_picture", "", stopwatch.seconds() - (load_seconds_ - load_before));
    return encoded;
  });
  if ((!more_follow && !session_.keeps()) || memory_.low_memory) base.components.release_encoders();
  return pictures;
}

}  // namespace sdgen
