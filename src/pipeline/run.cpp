#include "pipeline/run.h"

#include <algorithm>

#include "base/torch_errors.h"
#include "image/pixels.h"
#include "pipeline/decode_latents.h"
#include "text/conditioner.h"

namespace sdgen {
namespace {

// Texts held encoded at a time: 512 of Stable Diffusion's are 120 MB.
constexpr std::size_t kMostTexts = 512;

struct Stopped {};

// No picture of the batch is finite any more.
struct NothingLeft {};

// The pictures of a batch: earlier ones that they are changed from stand before them.
Tensor last_rows(const Tensor& x, std::size_t pictures) {
  const auto count = static_cast<std::int64_t>(pictures);
  return x.narrow(0, x.size(0) - count, count);
}

}  // namespace

Run::Run(const ModelFolder& model, const Compute& compute, Components& components, VaeTiling vae_tiling,
         const std::vector<Request>& requests, const RunOptions& options, const Observer& observer)
    : model_(model),
      compute_(compute),
      components_(components),
      vae_tiling_(vae_tiling),
      requests_(requests),
      options_(options),
      observer_(observer),
      recorder_(open_graph_stream(compute), [this](const std::string& warning) { warn_once(warning); }) {
  on_load_ = [this](const std::string& component, double seconds) {
    load_seconds_ += seconds;
    report_stage("load", component, seconds);
  };
}

bool Run::draw() {
  const std::vector<Batch> batches = plan_batches(requests_, options_.batch_size);
  for (const Batch& batch : batches)
    total_ += batch.size() * evaluations(requests_[batch.front().request_index]);
  try {
    for (std::size_t begin = 0; begin < batches.size();) {
      const auto [end, texts] = next_texts(batches, begin);
      encode_texts(texts);
      for (; begin < end; ++begin) {
        if (observer_.should_stop && observer_.should_stop()) throw Stopped{};
        if (begin + 1 == batches.size()) last_batch_ = true;
        draw_batch(batches[begin]);
      }
    }
  } catch (const Stopped&) {
    components_.release_all();
    return false;
  } catch (...) {
    components_.release_all();
    throw;
  }
  components_.release_all();
  return true;
}

std::pair<std::size_t, std::vector<std::string>> Run::next_texts(const std::vector<Batch>& batches,
                                                                 std::size_t first) const {
  std::set<std::string> known;
  std::vector<std::string> texts;
  std::size_t end = first;
  for (; end < batches.size(); ++end) {
    std::vector<std::string> added;
    for (const Job& job : batches[end])
      for (const std::string& text : texts_of(requests_[job.request_index]))
        if (known.insert(text).second) added.push_back(text);
    if (end > first && texts.size() + added.size() > kMostTexts) break;
    texts.insert(texts.end(), added.begin(), added.end());
  }
  return {end, texts};
}

void Run::encode_texts(const std::vector<std::string>& texts) {
  std::map<std::string, EncodedContext> kept;
  for (const std::string& text : texts)
    if (const auto known = contexts_.find(text); known != contexts_.end()) kept.insert(*known);
  contexts_ = std::move(kept);
  for (const std::string& text : texts) {
    if (observer_.should_stop && observer_.should_stop()) throw Stopped{};
    encode(text);
  }
  components_.release_text_encoder();
}

void Run::encode(const std::string& text) {
  if (contexts_.contains(text)) return;
  const ClipTextEncoder& encoder = components_.text_encoder(on_load_);
  const Stopwatch stopwatch;
  EncodedText encoded = encode_text(components_.tokenizer(), encoder, text);
  synchronize(compute_);
  const double seconds = stopwatch.seconds();
  report_stage("text_encode", "", seconds);
  if (!is_finite(encoded.hidden))
    fail_working("text encoding is not finite in ", dtype_name(compute_.dtype), "; use --dtype float32");
  if (!encoded.dropped.empty() && observer_.on_warning)
    observer_.on_warning(concat("the text is longer than the model's ",
                                components_.tokenizer().model_max_length(),
                                " tokens; dropped: ", encoded.dropped));
  contexts_.emplace(text, EncodedContext{std::move(encoded.hidden), std::move(encoded.words), seconds});
}

std::function<void(const Tensor&, const Tensor&, const Level&)> Run::previews(const Batch& batch, int steps) {
  if (options_.preview_every <= 0 || !observer_.on_preview) return {};
  if (!preview_)
    preview_.emplace(components_.decoder(on_load_), at::TensorOptions(compute_.device).dtype(compute_.dtype));
  const PredictionType type =
      overridden(model_.scheduler, requests_[batch.front().request_index]).prediction_type;
  return [this, &batch, type, steps, step = 0](const Tensor& x, const Tensor& output,
                                               const Level& level) mutable {
    if (++step % options_.preview_every != 0 || step == steps) return;  // the last is the picture itself
    const Stopwatch stopwatch;
    const Tensor x0 = estimate_from_output(type, output, x, level).x0;
    const Tensor pixels = (*preview_)(last_rows(x0, batch.size()));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Tensor row = pixels.narrow(0, static_cast<std::int64_t>(i), 1);
      if (is_finite(row))
        observer_.on_preview(
            {batch[i].request_index, batch[i].index, step, steps, images_from_pixels(row).front()});
    }
    preview_seconds_ += stopwatch.seconds();
    report_stage("preview", "", stopwatch.seconds());
  };
}

Denoiser Run::watched_denoiser(const Batch& batch, const std::vector<BatchRow>& rows, Steering& steering,
                               int steps) {
  Conditioning conditioning = conditioning_of(rows, contexts_);
  conditioning.token_weights = steering.token_weights();
  Watchers watchers;
  watchers.after = previews(batch, steps);
  steering.join(watchers);
  const PredictionType type = overridden(model_.scheduler, rows.front().request).prediction_type;
  return guided_denoiser(components_.unet(on_load_), type, conditioning, compute_, &recorder_,
                         std::move(watchers));
}

// What is told after each step, and what may end the run there.
StepCallback Run::after_step(StepClock& clock, std::size_t pictures, int steps, FiniteRows& finite_rows) {
  return [this, &clock, pictures, steps, &finite_rows](int step, Tensor& x) {
    clock.end_step();
    report_steps(clock, clock.lead(), pictures, steps);
    finite_rows.look(last_rows(x, pictures), step);
    if (finite_rows.none_left()) throw NothingLeft{};
    // After the last step only decoding is left: that picture is worth finishing.
    if (step < steps && observer_.should_stop && observer_.should_stop()) throw Stopped{};
    clock.begin_step();
  };
}

// Tells the steps that are over but for the newest `left`.
void Run::report_steps(StepClock& clock, std::size_t left, std::size_t pictures, int steps) {
  while (clock.pending() > left) {
    const double seconds = std::max(0.0, clock.take() - std::exchange(preview_seconds_, 0.0));
    report_stage("denoise_step", "", seconds);
    done_ += pictures;
    if (observer_.on_step) observer_.on_step({++reported_steps_, steps, done_, total_, seconds});
  }
}

Run::Denoised Run::denoise(const Batch& batch, FiniteRows& finite_rows) {
  const Request& settings = requests_[batch.front().request_index];
  const Sampler& sampler = find_sampler(*settings.sampler);
  SamplingPlan plan = sampler.plan(overridden(model_.scheduler, settings), *settings.steps);
  plan.options.eta = settings.eta;
  const int steps = static_cast<int>(plan.steps.size());
  const std::vector<BatchRow> rows = rows_of(batch, requests_);
  std::vector<std::uint64_t> seeds;
  for (const BatchRow& row : rows) {
    seeds.push_back(row.seed);
    for (const std::string& line : unsteered_words(row.request, contexts_.at(row.request.prompt).words))
      warn_once(line);
  }
  NoiseSource noise(seeds);
  const std::int64_t scale = model_.vae.pixels_per_latent();
  const std::int64_t height = *settings.height / scale, width = *settings.width / scale;
  const Tensor start = noise.draw({model_.unet.in_channels, height, width}) * plan.initial_noise_scale;
  const auto steering = steering_of(rows, contexts_, height, width, plan.steps.size(), options_);
  const Denoiser denoiser = watched_denoiser(batch, rows, *steering, steps);

  StepClock clock(compute_);
  reported_steps_ = 0;
  const SearchForConvolutions search;
  clock.begin_step();
  try {
    const Tensor latents =
        sampler.sample(denoiser, to_device(start, compute_.device), plan.steps, plan.options, noise,
                       after_step(clock, batch.size(), steps, finite_rows));
    report_steps(clock, 0, batch.size(), steps);
    finite_rows.failed_steps();
    if (finite_rows.none_left()) return {};
    Denoised denoised{last_rows(latents, batch.size()), {}};
    for (std::size_t i = 0; i < batch.size(); ++i)
      denoised.attention.push_back(steering->maps(i, height, width));
    return denoised;
  } catch (const NothingLeft&) {
    return {};
  }
}

std::vector<Image> Run::decode(const Tensor& latents) {
  const DecodeSetting setting{model_.vae,  compute_,
                              vae_tiling_, components_,
                              on_load_,    [this](const std::string& warning) { warn_once(warning); }};
  const double load_before = load_seconds_;
  const Stopwatch stopwatch;
  DecodedPictures decoded = decode_latents(setting, latents);
  report_stage("decode", decoded.how, stopwatch.seconds() - (load_seconds_ - load_before));
  return std::move(decoded.images);
}

void Run::warn_once(const std::string& warning) {
  if (warned_.insert(warning).second && observer_.on_warning) observer_.on_warning(warning);
}

void Run::draw_batch(const Batch& batch) {
  const double load_before = load_seconds_;
  const std::size_t done_after = done_ + batch.size() * evaluations(requests_[batch.front().request_index]);
  const Stopwatch stopwatch;
  FiniteRows finite_rows(batch.size(), compute_.device);
  std::vector<Image> images;
  Denoised denoised;
  try {
    denoised = with_plain_errors([&] { return denoise(batch, finite_rows); });
    if (last_batch_) {
      recorder_.forget();
      components_.release_unet();
    }
    if (denoised.latents.defined()) images = with_plain_errors([&] { return decode(denoised.latents); });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kWorking || !observer_.on_failure) throw;
    done_ = done_after;
    for (const Job& job : batch) report_failure(job, error);
    return;
  }
  done_ = done_after;  // also where a batch ended early
  const double seconds =
      (stopwatch.seconds() - (load_seconds_ - load_before)) / static_cast<double>(batch.size());
  const std::vector<int>& failed_steps = finite_rows.failed_steps();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (failed_steps[i] > 0)
      report_failure(batch[i], not_finite(concat("the latents of seed ", batch[i].seed), "unet",
                                          concat("step ", failed_steps[i], " of ",
                                                 evaluations(requests_[batch[i].request_index])),
                                          compute_.dtype));
    else if (images[i].rgb.empty())
      report_failure(batch[i],
                     not_finite(concat("the pixels of seed ", batch[i].seed), "vae", "decoding", at::kFloat));
    else
      report_picture(batch[i], std::move(images[i]), std::move(denoised.attention[i]), seconds);
  }
}

Error Run::not_finite(const std::string& what, const std::string& component, const std::string& stage,
                      at::ScalarType dtype) {
  return {ErrorKind::kWorking,
          concat(what, " are not finite after ", stage, " (", component, ", ", dtype_name(dtype), ")",
                 dtype == at::kFloat ? "; the model's weights or its scheduler config are unusable"
                                     : "; use --dtype float32")};
}

void Run::report_picture(const Job& job, Image image, std::shared_ptr<const AttentionMaps> attention,
                         double seconds) const {
  if (!observer_.on_picture) return;
  for (const std::string& text : texts_of(requests_[job.request_index]))
    seconds += contexts_.at(text).seconds;
  observer_.on_picture(
      {job.request_index, job.index, job.seed, std::move(image), seconds, std::move(attention)});
}

std::size_t Run::evaluations(const Request& request) const {
  return find_sampler(*request.sampler)
      .plan(overridden(model_.scheduler, request), *request.steps)
      .steps.size();
}

void Run::report_stage(const std::string& stage, const std::string& detail, double seconds) const {
  if (observer_.on_stage) observer_.on_stage({stage, detail, seconds, peak_memory_bytes()});
}

void Run::report_failure(const Job& job, const Error& error) const {
  if (!observer_.on_failure) throw error;
  observer_.on_failure(job.request_index, job.index, error);
}

}  // namespace sdgen
