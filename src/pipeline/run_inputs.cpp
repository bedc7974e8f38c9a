// What comes before a run draws: the plan of its memory, texts and starting pictures.
#include "pipeline/run.h"
#include "text/conditioner.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

// Texts held encoded at a time: 512 of Stable Diffusion's are 120 MB.
constexpr std::size_t kMostTexts = 512;

// How often the UNet is asked of each picture: see Conditioning::questions().
std::int64_t questions_of(const Request& request, const Model& model) {
  const bool guided = *request.guidance_scale > 1.0 && model.unet.time_cond_proj_dim == 0;
  return !guided ? 1 : model.image_input() == ImageInput::kPicture ? 3 : 2;
}

}  // namespace

std::pair<std::size_t, std::vector<std::string>> Run::next_texts(const std::vector<Batch>& batches,
                                                                 std::size_t first) const {
  std::set<std::string> known;
  std::vector<std::string> texts;
  std::size_t end = first;
  for (; end < batches.size(); ++end) {
    std::vector<std::string> added;
    for (const Job& job : batches[end])
      for (const Worker& worker : workers_)
        for (const std::string& text : texts_of(requests_[job.request_index], worker.model))
          if (known.insert(text).second) added.push_back(text);
    if (end > first && texts.size() + added.size() > kMostTexts) break;
    texts.insert(texts.end(), added.begin(), added.end());
  }
  return {end, texts};
}

void Run::encode_texts(Worker& worker, const std::vector<std::string>& texts) {
  Contexts kept;
  for (const std::string& text : texts)
    if (const auto known = worker.contexts.find(text); known != worker.contexts.end()) kept.insert(*known);
  worker.contexts = std::move(kept);
  for (const std::string& text : texts) {
    if (should_stop()) return;  // whoever draws asks again
    encode(worker, text);
  }
  worker.components.release_text_encoders();
}

// A small model draws something for any word: who reads of it need not wonder.
void Run::warn_of_words(const Model& model, const std::string& text, const std::vector<PromptWord>& words) {
  if (model.words.empty()) return;
  const std::vector<std::string> outside = words_outside(model.words, words);
  if (!outside.empty())
    warn_once(concat("'", text, "': ", model.name, " was not taught: ", join(outside),
                     " (the words that it knows are in its sdgen.json)"));
}

void Run::encode(Worker& worker, const std::string& text) {
  if (worker.contexts.contains(text)) return;
  const std::vector<TextPart> parts = worker.components.text_parts(on_load_);
  const Stopwatch stopwatch;
  EncodedText encoded = encode_text(parts, worker.model.text_states, text);
  synchronize(compute_);
  const double seconds = stopwatch.seconds();
  report_stage("text_encode", "", seconds);
  if (!is_finite(encoded.hidden) || (encoded.pooled.defined() && !is_finite(encoded.pooled)))
    fail_working("the text encoding is not finite (text_encoder, ", dtype_name(compute_.dtype), ")",
                 compute_.dtype == at::kFloat ? "; the weights of the model's text encoder are unusable"
                                              : "; use --dtype float32");
  if (!encoded.dropped.empty() && &worker == &workers_.front() && observer_.on_warning)
    observer_.on_warning(concat("the text is longer than the model's ", worker.components.text_tokens(),
                                " tokens; dropped: ", encoded.dropped));
  if (&worker == &workers_.front()) warn_of_words(worker.model, text, encoded.words);
  worker.contexts.emplace(text, EncodedContext{std::move(encoded.hidden), std::move(encoded.pooled),
                                               std::move(encoded.words), seconds});
}

void Run::plan_memory_use(const std::vector<Batch>& batches) {
  if (!memory_.low_memory && !observer_.on_plan) return;  // it reads every weight header again
  RunSize size;
  size.is_one_batch = batches.size() == 1;
  std::int64_t most = 0;
  for (const Batch& batch : batches) {
    const Request& request = requests_[batch.front().request_index];
    if (request.best_of > 1) size.ranker_bytes = ranker_->bytes();
    const Model& model = workers_.front().model;
    const std::int64_t scale = model.vae.pixels_per_latent();
    const std::int64_t height = *request.height / scale, width = *request.width / scale;
    const std::int64_t rows =
        static_cast<std::int64_t>(batch.size() + (request.edit_from ? 1 : 0)) * questions_of(request, model);
    if (height * width > size.decoded_height * size.decoded_width) {
      size.decoded_height = height;
      size.decoded_width = width;
    }
    if (rows * height * width <= most) continue;
    most = rows * height * width;
    size.rows = rows;
    size.height = height;
    size.width = width;
  }
  std::vector<const Model*> models;
  for (const Worker& worker : workers_) models.push_back(&worker.model);
  const std::optional<std::uint64_t> left = memory_left(compute_.device, memory_);
  if (memory_.low_memory && !left)
    warn_once(concat("how much memory is free on ", device_name(compute_),
                     " cannot be told (libtorch 2.13 can): low-memory keeps everything"));
  const PlannedRun planned = plan_memory(models, compute_, memory_, size, left);
  for (std::size_t i = 0; i < workers_.size(); ++i)
    workers_[i].components.hold_of_unet(planned.held_of_unets[i]);
  if (observer_.on_plan) observer_.on_plan(planned.plan);
}

void Run::encode_pictures() {
  const Worker& base = workers_.front();
  for (const Request& request : requests_) {
    if (!request.init_image || pictures_.contains(picture_key(request))) continue;
    if (should_stop()) return;
    const double load_before = load_seconds_;
    const Stopwatch stopwatch;
    pictures_.emplace(picture_key(request),
                      encode_start_picture({base.model, compute_, base.components, on_load_}, request));
    report_stage("encode_picture", "", stopwatch.seconds() - (load_seconds_ - load_before));
  }
  base.components.release_encoders();
}

const EncodedPicture* Run::start_picture(const Request& request) const {
  return request.init_image ? &pictures_.at(picture_key(request)) : nullptr;
}

}  // namespace sdgen
