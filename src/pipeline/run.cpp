#include "pipeline/run.h"

#include "base/compute/step_clock.h"
#include "base/torch_errors.h"
#include "pipeline/decode_latents.h"

namespace sdgen {
namespace {

// Texts held encoded at a time: 512 of Stable Diffusion's are 120 MB.
constexpr std::size_t kMostTexts = 512;

struct Stopped {};

// No picture of the batch is finite any more.
struct NothingLeft {};

// The texts that drawing `request` attends to.
std::vector<std::string> texts_of(const Request& request) {
  if (*request.guidance_scale > 1) return {request.prompt, request.negative_prompt};
  return {request.prompt};
}

}  // namespace

Run::Run(const ModelFolder& model, const Compute& compute, Components& components, VaeTiling vae_tiling,
         const std::vector<Request>& requests, const Observer& observer)
    : model_(model),
      compute_(compute),
      components_(components),
      vae_tiling_(vae_tiling),
      requests_(requests),
      observer_(observer),
      recorder_(open_graph_stream(compute), [this](const std::string& warning) { warn_once(warning); }) {
  on_load_ = [this](const std::string& component, double seconds) {
    load_seconds_ += seconds;
    report_stage("load", component, seconds);
  };
}

bool Run::draw(int batch_size) {
  const std::vector<Batch> batches = plan_batches(requests_, batch_size);
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
  contexts_.emplace(text, EncodedContext{std::move(encoded.hidden), seconds});
}

Conditioning Run::conditioning(const Batch& batch) const {
  std::vector<Tensor> words, without;
  const double guidance_scale = *requests_[batch.front().request_index].guidance_scale;
  for (const Job& job : batch) {
    const Request& request = requests_[job.request_index];
    words.push_back(contexts_.at(request.prompt).hidden);
    if (guidance_scale > 1) without.push_back(contexts_.at(request.negative_prompt).hidden);
  }
  return {at::cat(words), without.empty() ? Tensor() : at::cat(without), guidance_scale};
}

Tensor Run::denoise(const Batch& batch, FiniteRows& finite_rows) {
  const Request& settings = requests_[batch.front().request_index];
  const Sampler& sampler = find_sampler(*settings.sampler);
  SamplingPlan plan = sampler.plan(model_.scheduler, *settings.steps);
  plan.options.eta = settings.eta;
  std::vector<std::uint64_t> seeds;
  for (const Job& job : batch) seeds.push_back(job.seed);
  NoiseSource noise(seeds);
  const std::int64_t scale = model_.vae.pixels_per_latent();
  const Tensor start =
      noise.draw({model_.unet.in_channels, *settings.height / scale, *settings.width / scale});
  const Denoiser denoiser = guided_denoiser(components_.unet(on_load_), model_.scheduler.prediction_type,
                                            conditioning(batch), compute_, &recorder_);

  const int steps = static_cast<int>(plan.steps.size());
  StepClock clock(compute_);
  int reported = 0;
  const auto report_steps = [&](std::size_t left) {
    while (clock.pending() > left) {
      const double seconds = clock.take();
      report_stage("denoise_step", "", seconds);
      done_ += batch.size();
      if (observer_.on_step) observer_.on_step({++reported, steps, done_, total_, seconds});
    }
  };
  const auto on_step = [&](int step, const Tensor& x) {
    clock.end_step();
    report_steps(clock.lead());
    finite_rows.look(x, step);
    if (finite_rows.none_left()) throw NothingLeft{};
    // After the last step only decoding is left: that picture is worth finishing.
    if (step < steps && observer_.should_stop && observer_.should_stop()) throw Stopped{};
    clock.begin_step();
  };
  const SearchForConvolutions search;
  clock.begin_step();
  try {
    Tensor latents = sampler.sample(denoiser, to_device(start * plan.initial_noise_scale, compute_.device),
                                    plan.steps, plan.options, noise, on_step);
    report_steps(0);
    finite_rows.failed_steps();
    return finite_rows.none_left() ? Tensor() : latents;
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
  try {
    const Tensor latents = with_plain_errors([&] { return denoise(batch, finite_rows); });
    if (last_batch_) {
      recorder_.forget();
      components_.release_unet();
    }
    if (latents.defined()) images = with_plain_errors([&] { return decode(latents); });
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
      report_picture(batch[i], std::move(images[i]), seconds);
  }
}

Error Run::not_finite(const std::string& what, const std::string& component, const std::string& stage,
                      at::ScalarType dtype) {
  return {ErrorKind::kWorking,
          concat(what, " are not finite after ", stage, " (", component, ", ", dtype_name(dtype), ")",
                 dtype == at::kFloat ? "; the model's weights or its scheduler config are unusable"
                                     : "; use --dtype float32")};
}

void Run::report_picture(const Job& job, Image image, double seconds) const {
  if (!observer_.on_picture) return;
  for (const std::string& text : texts_of(requests_[job.request_index]))
    seconds += contexts_.at(text).seconds;
  observer_.on_picture({job.request_index, job.index, job.seed, std::move(image), seconds});
}

std::size_t Run::evaluations(const Request& request) const {
  return find_sampler(*request.sampler).plan(model_.scheduler, *request.steps).steps.size();
}

void Run::report_stage(const std::string& stage, const std::string& detail, double seconds) const {
  if (observer_.on_stage) observer_.on_stage({stage, detail, seconds, peak_memory_bytes()});
}

void Run::report_failure(const Job& job, const Error& error) const {
  if (!observer_.on_failure) throw error;
  observer_.on_failure(job.request_index, job.index, error);
}

}  // namespace sdgen
