#include "run/run.h"

#include <algorithm>

#include "base/cut_files.h"
#include "compute/torch_errors.h"
#include "image/pixels.h"
#include "run/decode_latents.h"

namespace sdgen {
namespace {

struct Stopped {};

// No picture of the batch is finite any more.
struct NothingLeft {};

// The pictures of a batch: earlier ones that they are changed from stand before them.
Tensor last_rows(const Tensor& x, std::size_t pictures) {
  const auto count = static_cast<std::int64_t>(pictures);
  return x.narrow(0, x.size(0) - count, count);
}

}  // namespace

Run::Run(const LoadedModel& base, const std::optional<LoadedModel>& refiner, Ranker* ranker,
         const Compute& compute, const MemoryUse& memory, const std::vector<Request>& requests,
         const RunOptions& options, const Observer& observer)
    : compute_(compute),
      memory_(memory),
      requests_(requests),
      options_(options),
      observer_(observer),
      ranker_(ranker) {
  on_load_ = [this](const std::string& component, double seconds) {
    load_seconds_ += seconds;
    report_stage("load", component, seconds);
  };
  workers_.push_back(worker(base, refiner ? Part::kUntilRefiner : Part::kWhole));
  if (refiner) workers_.push_back(worker(*refiner, Part::kRefiner));
}

Run::Worker Run::worker(const LoadedModel& loaded, Part part) {
  return {loaded.model,
          loaded.components,
          part,
          {},
          Recorder(open_graph_stream(compute_), [this](const std::string& warning) { warn_once(warning); })};
}

bool Run::draw() {
  const std::vector<Batch> batches = plan_batches(requests_, options_.batch_size);
  for (const Batch& batch : batches)
    total_ += batch.size() * evaluations(requests_[batch.front().request_index]);
  plan_memory_use(batches);
  try {
    const std::size_t last_new = last_new_picture(batches);
    for (std::size_t begin = 0; begin < batches.size();) {
      const auto [end, texts] = next_texts(batches, begin);
      for (Worker& worker : workers_) encode_texts(worker, texts);
      for (; begin < end; ++begin) {
        if (should_stop()) throw Stopped{};
        if (begin + 1 == batches.size()) last_batch_ = true;
        draw_batch(batches[begin], begin < last_new);
      }
    }
  } catch (const Stopped&) {
    if (best_) report_best();  // of those that were finished
    release_all();
    return false;
  } catch (...) {
    release_all();
    throw;
  }
  release_all();
  return true;
}

void Run::release_all() {
  if (ranker_) ranker_->release();
  for (Worker& worker : workers_) worker.components.release_all();
}

std::function<void(const Tensor&, const Tensor&, const Step&)> Run::previews(const Share& share,
                                                                             const Batch& batch) {
  if (options_.preview_every <= 0 || !observer_.on_preview) return {};
  if (requests_[batch.front().request_index].best_of > 1) return {};  // most are not kept
  if (!preview_)
    preview_.emplace(workers_.front().components.decoder(on_load_),
                     at::TensorOptions(compute_.device).dtype(compute_.dtype));
  const PredictionType type =
      scheduler_of(requests_[batch.front().request_index], share.worker.model).prediction_type;
  return [this, &share, &batch, type](const Tensor& x, const Tensor& output, const Step& step) {
    const int number = share.number_of(step);
    if (number % options_.preview_every != 0 || number == share.steps)
      return;  // the last is the picture itself
    const Stopwatch stopwatch;
    const Tensor x0 = estimate_from_output(type, output, x, step.from).x0;
    const Tensor pixels = (*preview_)(last_rows(x0, batch.size()));
    fail_if_cut_short();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Tensor row = pixels.narrow(0, static_cast<std::int64_t>(i), 1);
      if (is_finite(row))
        observer_.on_preview({batch[i].request_index, picture_index(batch[i]), number, share.steps,
                              images_from_pixels(row).front()});
    }
    preview_seconds_ += stopwatch.seconds();
    report_stage("preview", "", stopwatch.seconds());
  };
}

Denoiser Run::watched_denoiser(const Share& share, const Batch& batch, Conditioning conditioning,
                               Steering& steering) {
  Worker& worker = share.worker;
  conditioning.token_weights = steering.token_weights();
  Watchers watchers;
  watchers.after = previews(share, batch);
  steering.join(watchers);
  const PredictionType type =
      scheduler_of(requests_[batch.front().request_index], worker.model).prediction_type;
  return guided_denoiser(worker.components.unet(on_load_), type, conditioning, compute_, &worker.recorder,
                         std::move(watchers));
}

// What is told after each step, and what may end the run there.
StepCallback Run::after_step(const Share& share, StepClock& clock, std::size_t pictures, StepCallback keep,
                             FiniteRows& finite_rows) {
  return [this, &share, &clock, pictures, keep = std::move(keep), &finite_rows](const Step& step, Tensor& x) {
    fail_if_cut_short();
    if (keep) keep(step, x);
    clock.end_step();
    report_steps(clock, clock.lead(), pictures, share.steps);
    finite_rows.look(last_rows(x, pictures), share.number_of(step));
    if (finite_rows.none_left()) throw NothingLeft{};
    // After the last step only decoding is left: that picture is worth finishing.
    if (share.number_of(step) < share.steps && should_stop()) throw Stopped{};
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

Tensor Run::denoise_share(const Share& share, const Batch& batch, const BatchPictures& pictures,
                          const std::vector<BatchRow>& rows, NoiseSource& noise, Tensor latents,
                          FiniteRows& finite_rows,
                          std::vector<std::shared_ptr<const AttentionMaps>>& attention) {
  const Worker& worker = share.worker;
  const Request& settings = requests_[batch.front().request_index];
  const bool is_first = !latents.defined();
  const std::int64_t scale = worker.model.vae.pixels_per_latent();
  const std::int64_t height = *settings.height / scale, width = *settings.width / scale;
  Conditioning conditioning = conditioning_of(rows, worker.contexts, worker.model);
  StepCallback keep;
  if (is_first) {
    StartLatents start =
        start_latents(pictures.start, worker.model, settings, share.plan, conditioning.questions(), noise);
    latents = to_device(start.x, compute_.device);
    conditioning.channels = start.channels;
    keep = std::move(start.keep);
  }
  if (pictures.control)
    conditioning.controls =
        controls_of(settings, *pictures.control, worker.components.controlnets(on_load_), share.plan);
  const RunOptions unwatched;
  const auto steering = steering_of(rows, worker.contexts, conditioning.questions(), height, width,
                                    share.plan, is_first ? options_ : unwatched);
  const Denoiser denoiser = watched_denoiser(share, batch, std::move(conditioning), *steering);
  const SearchForConvolutions search;
  StepClock clock(compute_);
  clock.begin_step();
  latents = share.plan.sample(denoiser, latents, noise,
                              after_step(share, clock, batch.size(), std::move(keep), finite_rows));
  report_steps(clock, 0, batch.size(), share.steps);
  if (is_first)
    for (std::size_t i = 0; i < batch.size(); ++i) attention.push_back(steering->maps(i, height, width));
  return latents;
}

Run::Denoised Run::denoise(const Batch& batch, const BatchPictures& pictures, FiniteRows& finite_rows) {
  const Request& settings = requests_[batch.front().request_index];
  const std::vector<BatchRow> rows = rows_of(batch, requests_);
  std::vector<std::uint64_t> seeds;
  for (const BatchRow& row : rows) {
    seeds.push_back(row.seed);
    for (const std::string& line : unsteered_words(
             row.request, workers_.front().contexts.at(prompt_text(row.request, row.request.prompt)).words))
      warn_once(line);
  }
  NoiseSource noise(seeds);
  const int steps = static_cast<int>(evaluations(settings));
  reported_steps_ = 0;
  Denoised denoised;
  int before = 0;
  try {
    for (Worker& worker : workers_) {
      const Share share{worker, plan_of(settings, worker.model, worker.part), before, steps};
      denoised.latents = denoise_share(share, batch, pictures, rows, noise, denoised.latents, finite_rows,
                                       denoised.attention);
      before += static_cast<int>(share.plan.steps.size());
      if (last_batch_) {
        worker.recorder.forget();
        worker.components.release_unet();
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

std::vector<Image> Run::decode(const Tensor& latents) {
  const Worker& base = workers_.front();
  const DecodeSetting setting{base.model.vae, compute_,
                              memory_,        base.components,
                              on_load_,       [this](const std::string& warning) { warn_once(warning); }};
  const double load_before = load_seconds_;
  const Stopwatch stopwatch;
  DecodedPictures decoded = decode_latents(setting, latents);
  report_stage("decode", decoded.how, stopwatch.seconds() - (load_seconds_ - load_before));
  return std::move(decoded.images);
}

bool Run::should_stop() {
  stopped_ = stopped_ || (observer_.should_stop && observer_.should_stop());
  return stopped_;
}

void Run::warn_once(const std::string& warning) {
  if (warned_.insert(warning).second && observer_.on_warning) observer_.on_warning(warning);
}

bool Run::fail_batch(const Batch& batch, const Error& error) {
  for (const Job& job : batch) offer(job, {}, error);
  return false;
}

bool Run::compute_batch(const Batch& batch, bool picture_follows, FiniteRows& finite_rows,
                        DrawnBatch& drawn) {
  try {
    const BatchPictures pictures = with_plain_errors(
        [&] { return read_pictures(requests_[batch.front().request_index], picture_follows); });
    const double load_before = load_seconds_;
    const Stopwatch stopwatch;
    drawn.denoised = with_plain_errors([&] { return denoise(batch, pictures, finite_rows); });
    if (drawn.denoised.latents.defined())
      drawn.images = with_plain_errors([&] { return decode(drawn.denoised.latents); });
    drawn.seconds = (stopwatch.seconds() - (load_seconds_ - load_before)) / static_cast<double>(batch.size());
  } catch (const UnreadablePicture& picture) {
    return fail_batch(batch, picture.error);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kWorking || !observer_.on_failure) throw;
    return fail_batch(batch, error);
  }
  return true;
}

void Run::draw_batch(const Batch& batch, bool picture_follows) {
  const std::size_t done_after = done_ + batch.size() * evaluations(requests_[batch.front().request_index]);
  FiniteRows finite_rows(batch.size(), compute_.device);
  DrawnBatch drawn;
  const bool is_drawn = compute_batch(batch, picture_follows, finite_rows, drawn);
  done_ = done_after;  // also where a batch ended early
  if (!is_drawn) return;
  const std::vector<int>& failed_steps = finite_rows.failed_steps();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Job& job = batch[i];
    if (failed_steps[i] > 0)
      offer(job, {},
            not_finite(concat("the latents of seed ", job.seed), "unet",
                       concat("step ", failed_steps[i], " of ", evaluations(requests_[job.request_index])),
                       compute_.dtype));
    else if (drawn.images[i].rgb.empty())
      offer(job, {}, not_finite(concat("the pixels of seed ", job.seed), "vae", "decoding", at::kFloat));
    else
      offer(job,
            Picture{job.request_index, picture_index(job), job.seed, std::move(drawn.images[i]),
                    drawn.seconds, std::move(drawn.denoised.attention[i])},
            {});
  }
}

Error Run::not_finite(const std::string& what, const std::string& component, const std::string& stage,
                      at::ScalarType dtype) {
  return {ErrorKind::kWorking,
          concat(what, " are not finite after ", stage, " (", component, ", ", dtype_name(dtype), ")",
                 dtype == at::kFloat ? "; the model's weights or its scheduler config are unusable"
                                     : "; use --dtype float32")};
}

int Run::picture_index(const Job& job) const {
  return job.index / requests_[job.request_index].best_of;
}

void Run::report(Picture picture) const {
  for (const Worker& worker : workers_)
    for (const TextToEncode& text : texts_of(requests_[picture.request_index], worker.model))
      picture.seconds += worker.contexts.at(text).seconds;
  if (observer_.on_picture) observer_.on_picture(picture);
}

void Run::offer(const Job& job, std::optional<Picture> picture, std::optional<Error> failure) {
  const Request& request = requests_[job.request_index];
  if (request.best_of == 1) return picture ? report(std::move(*picture)) : report_failure(job, *failure);
  try {
    if (picture) with_plain_errors([&] { consider(std::move(*picture), request.prompt); });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kWorking || !observer_.on_failure) throw;
    failure = error;
  }
  const bool is_last = (job.index + 1) % request.best_of == 0;
  if (failure && !(is_last && !best_)) warn_once(concat("not among those to choose from: ", failure->what()));
  if (!is_last) return;
  if (best_)
    report_best();
  else
    report_failure(job, *failure);
}

// Its seconds are those of all that it was chosen from.
void Run::report_best() {
  Picture kept = std::move(*best_);
  best_.reset();
  kept.seconds = std::exchange(candidate_seconds_, 0.0);
  report(std::move(kept));
}

void Run::consider(Picture candidate, const std::string& prompt) {
  if (!ranker_->is_loaded()) {
    const Stopwatch stopwatch;
    ranker_->load();
    on_load_("ranker", stopwatch.seconds());
  }
  const Stopwatch stopwatch;
  candidate.score = ranker_->score(prompt, candidate.image);
  report_stage("rank", "", stopwatch.seconds());
  candidate_seconds_ += candidate.seconds + stopwatch.seconds();
  if (!best_ || *candidate.score > *best_->score) best_ = std::move(candidate);
}

std::size_t Run::evaluations(const Request& request) const {
  std::size_t count = 0;
  for (const Worker& worker : workers_) count += plan_of(request, worker.model, worker.part).steps.size();
  return count;
}

void Run::report_stage(const std::string& stage, const std::string& detail, double seconds) const {
  if (observer_.on_stage) observer_.on_stage({stage, detail, seconds, peak_memory_bytes()});
}

void Run::report_failure(const Job& job, const Error& error) const {
  if (!observer_.on_failure) throw error;
  observer_.on_failure(job.request_index, picture_index(job), error);
}

}  // namespace sdgen
