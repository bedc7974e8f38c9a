#include "run/diffusion_drawing.h"

#include <algorithm>

#include "base/cut_files.h"
#include "base/stopwatch.h"
#include "image/pixels.h"
#include "run/decode_latents.h"

namespace sdgen {
namespace {

// No picture of the batch is finite any more.
struct NothingLeft {};

// The pictures of a batch: earlier ones that they are changed from stand before them.
Tensor last_rows(const Tensor& x, std::size_t pictures) {
  const auto count = static_cast<std::int64_t>(pictures);
  return x.narrow(0, x.size(0) - count, count);
}

}  // namespace

std::size_t evaluations_of(const Request& request, const Model& base, const Model* refiner) {
  if (!refiner) return plan_of(request, base).steps.size();
  return plan_of(request, base, Part::kUntilRefiner).steps.size() +
         plan_of(request, *refiner, Part::kRefiner).steps.size();
}

DiffusionDrawing::DiffusionDrawing(DiffusionSession& session, const Compute& compute, const MemoryUse& memory,
                                   const RunContext& context)
    : session_(session), workers_(session.workers), compute_(compute), memory_(memory), context_(context) {
  on_load_ = [this](const std::string& component, double seconds) {
    load_seconds_ += seconds;
    context_.teller.stage("load", component, seconds);
  };
  session.begin(context.teller);
  warn_of_requests();
  last_new_picture_ = last_new_picture();
  plan_memory_use();
}

DiffusionDrawing::~DiffusionDrawing() {
  session_.end();
}

std::vector<Drawn> DiffusionDrawing::draw(std::size_t index) {
  const Batch& batch = context_.batches[index];
  if (index >= encoded_batches_) {
    const auto [end, texts] = next_texts(index);
    for (Worker& worker : workers_) encode_texts(worker, texts);
    encoded_batches_ = end;
  }
  last_batch_ = index + 1 == context_.batches.size();
  FiniteRows finite_rows(batch.size(), compute_.device);
  try {
    const BatchPictures pictures = read_pictures(context_.settings(batch), index < last_new_picture_);
    const double load_before = load_seconds_;
    const Stopwatch stopwatch;
    Denoised denoised = denoise(batch, pictures, finite_rows);
    std::vector<Image> images;
    if (denoised.latents.defined()) images = decode(denoised.latents);
    const double seconds = stopwatch.seconds() - (load_seconds_ - load_before);
    return pictures_of(batch, finite_rows, std::move(denoised), std::move(images),
                       seconds / static_cast<double>(batch.size()));
  } catch (const UnreadablePicture& picture) {
    return std::vector<Drawn>(batch.size(), Drawn{.failure = picture.error});
  }
}

std::vector<Drawn> DiffusionDrawing::pictures_of(const Batch& batch, FiniteRows& finite_rows,
                                                 Denoised denoised, std::vector<Image> images,
                                                 double seconds) const {
  const std::vector<int>& failed_steps = finite_rows.failed_steps();
  std::vector<Drawn> drawn;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const PictureJob& job = batch[i];
    Drawn& picture = drawn.emplace_back();
    if (failed_steps[i] > 0)
      picture.failure = not_finite(
          concat("the latents of seed ", job.seed), workers_.back().model.denoiser,
          concat("step ", failed_steps[i], " of ", evaluations(context_.requests[job.request_index])),
          compute_.dtype);
    else if (images[i].rgb.empty())
      picture.failure = not_finite(concat("the pixels of seed ", job.seed), "vae", "decoding", at::kFloat);
    else
      picture = {std::move(images[i]), seconds, std::move(denoised.attention[i]), {}};
  }
  return drawn;
}

double DiffusionDrawing::text_seconds(const Request& request) const {
  double seconds = 0.0;
  for (const Worker& worker : workers_)
    for (const TextToEncode& text : texts_of(request, worker.model))
      seconds += worker.embeds.at(text).seconds;
  return seconds;
}

int DiffusionDrawing::evaluations(const Request& request) const {
  return static_cast<int>(evaluations_of(request, workers_.front().model,
                                         workers_.size() > 1 ? &workers_.back().model : nullptr));
}

std::function<void(const Tensor&, const Tensor&, const Step&)> DiffusionDrawing::previews(
    const Share& share, const Batch& batch) {
  if (context_.options.preview_every <= 0 || !context_.observer.on_preview) return {};
  if (context_.settings(batch).best_of > 1) return {};  // most are not kept
  if (!session_.preview)
    session_.preview.emplace(workers_.front().components.decoder(on_load_),
                             at::TensorOptions(compute_.device).dtype(compute_.dtype));
  const PredictionType type = scheduler_of(context_.settings(batch), share.worker.model).prediction_type;
  return [this, &share, &batch, type](const Tensor& x, const Tensor& output, const Step& step) {
    const int number = share.number_of(step);
    if (number % context_.options.preview_every != 0 || number == share.steps)
      return;  // the last is the picture itself
    const Stopwatch stopwatch;
    const WorkPause whole;  // what its observer does is no part of the step
    const Tensor x0 = estimate_from_output(type, output, x, step.from).x0;
    const Tensor pixels = (*session_.preview)(last_rows(x0, batch.size()));
    fail_if_cut_short();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Tensor row = pixels.narrow(0, static_cast<std::int64_t>(i), 1);
      if (is_finite(row))
        context_.observer.on_preview({batch[i].request_index, context_.picture_index(batch[i]), number,
                                      share.steps, images_from_pixels(row).front()});
    }
    preview_seconds_ += stopwatch.seconds();
    context_.teller.stage("preview", "", stopwatch.seconds());
  };
}

Denoiser DiffusionDrawing::watched_denoiser(const Share& share, const Batch& batch, Conditioning conditioning,
                                            Steering& steering) {
  Worker& worker = share.worker;
  conditioning.token_weights = steering.token_weights();
  Watchers watchers;
  watchers.after = previews(share, batch);
  steering.join(watchers);
  const PredictionType type = scheduler_of(context_.settings(batch), worker.model).prediction_type;
  return guided_denoiser(worker.components.network(on_load_), type, conditioning, compute_, &worker.recorder,
                         std::move(watchers));
}

// What is told after each step, and what may end the run there.
StepCallback DiffusionDrawing::after_step(const Share& share, StepClock& clock, std::size_t pictures,
                                          StepCallback keep, FiniteRows& finite_rows) {
  return [this, &share, &clock, pictures, keep = std::move(keep), &finite_rows](const Step& step, Tensor& x) {
    fail_if_cut_short();
    if (keep) keep(step, x);
    clock.end_step();
    report_steps(clock, clock.lead(), share.steps);
    finite_rows.look(last_rows(x, pictures), share.number_of(step));
    if (finite_rows.none_left()) throw NothingLeft{};
    if (context_.teller.should_stop()) throw Stopped{};
    begin_step_work();
    clock.begin_step();
  };
}

// Tells the steps that are over but for the newest `left`.
void DiffusionDrawing::report_steps(StepClock& clock, std::size_t left, int steps) {
  while (clock.pending() > left) {
    const double seconds = std::max(0.0, clock.take() - std::exchange(preview_seconds_, 0.0));
    context_.teller.stage("denoise_step", "", seconds);
    context_.teller.step(steps, seconds);
  }
}

Tensor DiffusionDrawing::denoise_share(const Share& share, const Batch& batch, const BatchPictures& pictures,
                                       const std::vector<BatchRow>& rows, NoiseSource& noise, Tensor latents,
                                       FiniteRows& finite_rows,
                                       std::vector<std::shared_ptr<const AttentionMaps>>& attention) {
  const Worker& worker = share.worker;
  const Request& settings = context_.settings(batch);
  const bool is_first = !latents.defined();
  const std::int64_t scale = worker.model.vae.pixels_per_latent();
  const std::int64_t height = *settings.height / scale, width = *settings.width / scale;
  Conditioning conditioning = conditioning_of(rows, worker.embeds, worker.model);
  StepCallback keep;
  if (is_first) {
    StartLatents start =
        start_latents(pictures.start, worker.model, settings, share.plan, conditioning.branches(), noise);
    latents = to_device(start.x, compute_.device);
    conditioning.channels = start.channels;
    keep = std::move(start.keep);
  }
  if (pictures.control)
    conditioning.controls =
        controls_of(settings, *pictures.control, worker.components.controlnets(on_load_), share.plan);
  const RunOptions unwatched;
  const auto steering = steering_of(rows, worker.embeds, conditioning.branches(), height, width, share.plan,
                                    is_first ? context_.options : unwatched);
  const Denoiser denoiser = watched_denoiser(share, batch, std::move(conditioning), *steering);
  const SearchForConvolutions search;
  StepClock clock(compute_);
  begin_step_work();
  clock.begin_step();
  latents = share.plan.sample(denoiser, latents, noise,
                              after_step(share, clock, batch.size(), std::move(keep), finite_rows));
  report_steps(clock, 0, share.steps);
  if (is_first)
    for (std::size_t i = 0; i < batch.size(); ++i) attention.push_back(steering->maps(i, height, width));
  return latents;
}

DiffusionDrawing::Denoised DiffusionDrawing::denoise(const Batch& batch, const BatchPictures& pictures,
                                                     FiniteRows& finite_rows) {
  const Request& settings = context_.settings(batch);
  const std::vector<BatchRow> rows = rows_of(batch, context_.requests);
  std::vector<std::uint64_t> seeds;
  for (const BatchRow& row : rows) {
    seeds.push_back(row.seed);
    for (const std::string& line : unsteered_words(
             row.request, workers_.front().embeds.at(prompt_text(row.request, row.request.prompt)).words))
      context_.teller.warn_once(line);
  }
  NoiseSource noise(seeds);
  const int steps = evaluations(settings);
  Denoised denoised;
  int before = 0;
  try {
    for (Worker& worker : workers_) {
      const Share share{worker, plan_of(settings, worker.model, worker.part), before, steps};
      denoised.latents = denoise_share(share, batch, pictures, rows, noise, denoised.latents, finite_rows,
                                       denoised.attention);
      before += static_cast<int>(share.plan.steps.size());
      if (last_batch_ && !session_.keeps()) {
        worker.recorder.forget();
        worker.components.release_network();
      }
    }
  } catch (const NothingLeft&) {
    return {};
  }
  finite_rows.failed_steps();
  if (finite_rows.none_left()) return {};
  denoised.latents = last_rows(denoised.latents, batch.size());
  return denoised;
}

std::vector<Image> DiffusionDrawing::decode(const Tensor& latents) {
  const Worker& base = workers_.front();
  const DecodeSetting setting{
      base.model.vae,  compute_, memory_,
      base.components, on_load_, [this](const std::string& warning) { context_.teller.warn_once(warning); }};
  const double load_before = load_seconds_;
  const Stopwatch stopwatch;
  const WorkStage stage("decode", "");
  DecodedPictures decoded = decode_latents(setting, latents);
  context_.teller.stage("decode", decoded.how, stopwatch.seconds() - (load_seconds_ - load_before));
  return std::move(decoded.images);
}

Error DiffusionDrawing::not_finite(const std::string& what, const std::string& component,
                                   const std::string& stage, at::ScalarType dtype) {
  return {ErrorKind::kWorking,
          concat(what, " are not finite after ", stage, " (", component, ", ", dtype_name(dtype), ")",
                 dtype == at::kFloat ? "; the model's weights or its scheduler config are unusable"
                                     : "; use --dtype float32")};
}

}  // namespace sdgen
