#include "run/requests.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "diffusion/samplers/sampler.h"
#include "run/control.h"
#include "sdgen/image.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

constexpr int kMaxPixels = 16384;                 // a side; beyond it is a slip of the finger
constexpr std::size_t kMaxPromptBytes = 100'000;  // 77 tokens are some 400
constexpr std::size_t kMaxSteeredWords = 100;

int checked_size(const char* name, int pixels, int multiple) {
  if (pixels < multiple || pixels > kMaxPixels || pixels % multiple != 0) {
    const int lower = std::max(pixels / multiple * multiple, multiple);
    const std::string nearest = pixels > multiple && pixels < kMaxPixels
                                    ? concat("; nearest: ", lower, " and ", lower + multiple)
                                    : "";
    fail_request(name, " ", pixels, ": expected a multiple of ", multiple, ", at most ", kMaxPixels, nearest);
  }
  return pixels;
}

std::string own_sampler(const Model& model) {
  if (const Sampler* sampler = find_sampler_of(model.scheduler)) return sampler->name;
  fail_input(model.source.config("scheduler").path.string(), ": scheduler ", model.scheduler.class_name,
             model.scheduler.algorithm_type.empty() ? "" : concat(" (", model.scheduler.algorithm_type, ")"),
             " is not supported; name one with --sampler: ", join(sampler_names()));
}

void check_box(const WordBox& box) {
  const auto in_order = [](double low, double high) { return low >= 0.0 && low < high && high <= 1.0; };
  if (!in_order(box.x0, box.x1) || !in_order(box.y0, box.y1))
    fail_request("focus '", box.word, "': box ", box.x0, ",", box.y0, ",", box.x1, ",", box.y1,
                 ": expected x0,y0,x1,y1 from 0 to 1, x0 < x1, y0 < y1");
}

void check_words(const Request& request) {
  const std::vector<PromptWord> words = prompt_words(request.prompt);
  for (const WordWeight& weight : request.attend) {
    find_words(words, weight.word, "attend");
    if (!std::isfinite(weight.weight)) fail_request("attend '", weight.word, "': expected a finite number");
  }
  for (const WordBox& box : request.focus) {
    find_words(words, box.word, "focus");
    check_box(box);
  }
  if (request.edit_from && !request.focus.empty())
    fail_request("focus and edit-from exclude each other: an edit keeps the places of the earlier picture");
}

// The entry that image to image starts at; as diffusers' get_timesteps(), which does a part of a step with
// flows and leaves it out with others.
std::size_t strength_entry(const SamplingPlan& whole, const Request& request, bool is_flow) {
  const int steps = *request.steps;
  const double done = std::min(steps * *request.strength, static_cast<double>(steps));
  const int first = is_flow ? static_cast<int>(steps - done) : steps - static_cast<int>(done);
  return static_cast<std::size_t>(first) * static_cast<std::size_t>(whole.entries_per_step);
}

// The training timestep at which the refiner takes over.
double handover_timestep(const SchedulerConfig& scheduler, double start) {
  const double train = scheduler.num_train_timesteps;
  return std::nearbyint(train - start * train);
}

std::size_t base_end(const SamplingPlan& whole, const SchedulerConfig& scheduler, double start) {
  const double handover = handover_timestep(scheduler, start);
  return static_cast<std::size_t>(std::count_if(whole.entries.begin(), whole.entries.end(),
                                                [&](const PlanEntry& e) { return e.timestep >= handover; }));
}

std::size_t refiner_entry(const SamplingPlan& whole, const SchedulerConfig& scheduler, double start) {
  const double handover = handover_timestep(scheduler, start);
  auto left = std::count_if(whole.entries.begin(), whole.entries.end(),
                            [&](const PlanEntry& entry) { return entry.timestep < handover; });
  if (whole.entries_per_step == 2 && left % 2 == 0) ++left;  // never between the halves of a step
  return whole.entries.size() - std::min(static_cast<std::size_t>(left), whole.entries.size());
}

// Which pictures go with which model.
void check_pictures(const Request& request, const Model& model) {
  const ImageInput input = model.image_input;
  if (request.mask && !request.init_image)
    fail_request("mask: it needs an init-image, the picture it lies on");
  if (request.strength && !request.init_image) fail_request("strength: it needs an init-image");
  if (input == ImageInput::kMasked && !request.mask)
    fail_request("model ", model.name, " paints inside a mask: it needs init-image and mask");
  if (input != ImageInput::kPicture) return;
  if (!request.init_image)
    fail_request("model ", model.name, " changes a picture as the prompt says: it needs an init-image");
  if (request.mask) fail_request("mask: model ", model.name, " changes the whole picture");
  if (request.strength)
    fail_request("strength: model ", model.name,
                 " changes the picture as the prompt says; how much, image-guidance-scale tells it");
}

void check_lengths(const Request& request) {
  const auto check = [](const char* name, const std::string& text) {
    if (text.size() > kMaxPromptBytes)
      fail_request(name, ": ", text.size(), " bytes; expected at most ", kMaxPromptBytes);
  };
  check("prompt", request.prompt);
  check("negative-prompt", request.negative_prompt);
  if (request.edit_from) check("edit-from", *request.edit_from);
  if (std::max(request.attend.size(), request.focus.size()) > kMaxSteeredWords)
    fail_request("attend and focus: expected at most ", kMaxSteeredWords, " words each");
}

void check_clip_skip(const Request& request, const Model& model) {
  if (!request.clip_skip) return;
  const std::optional<int> most = model.text->max_clip_skip();
  if (!most) fail_request("clip-skip: the text encoder of ", model.name, " is no CLIP; leave it out");
  if (*request.clip_skip < 0 || *request.clip_skip > *most)
    fail_request("clip-skip ", *request.clip_skip, ": expected 0 to ", *most,
                 " with this model's text encoder");
}

void check_steering(const Request& request, const Model& model) {
  if (model.network->is_steerable()) return;
  const auto refuse = [&](const char* flag) {
    fail_request(flag, ": not possible with ", model.name, ", a ", model.family,
                 ", whose words and patches attend to each other");
  };
  if (!request.focus.empty()) refuse("focus");
  if (request.edit_from) refuse("edit-from");
}

// Of the picture.
std::int64_t tokens_of(const Request& complete, const Model& model) {
  const std::int64_t side = model.network->patch() * model.vae.pixels_per_latent();
  return *complete.height / side * (*complete.width / side);
}

std::uint64_t random_seed() {
  return std::random_device{}();
}

ScheduleOverrides overrides_of(const Request& request) {
  return {.schedule = request.schedule,
          .prediction_type = request.prediction_type,
          .timestep_spacing = request.timestep_spacing,
          .zero_snr = request.zero_snr,
          .eta = request.eta};
}

}  // namespace

SchedulerConfig scheduler_of(const Request& complete, const Model& model) {
  SchedulerConfig scheduler = overridden(model.scheduler, overrides_of(complete));
  if (find_sampler(*complete.sampler).scheduler_class != model.scheduler.class_name)
    scheduler.clip_sample = false;
  return scheduler;
}

SamplingPlan plan_of(const Request& complete, const Model& model, Part part) {
  const Sampler& sampler = find_sampler(*complete.sampler);
  const SchedulerConfig scheduler = scheduler_of(complete, model);
  const std::int64_t tokens = tokens_of(complete, model);
  const SamplingPlan whole = sampler.plan(scheduler, {*complete.steps, {}, complete.eta, tokens});
  StepRange range;
  if (part == Part::kRefiner)
    range.first = refiner_entry(whole, scheduler, complete.refiner_start);
  else if (complete.init_image && model.image_input != ImageInput::kPicture)
    range.first = strength_entry(whole, complete, scheduler.prediction_type == PredictionType::kFlow);
  if (part == Part::kUntilRefiner) range.end = base_end(whole, scheduler, complete.refiner_start);
  if (range.first == 0 && !range.end) return whole;
  if (range.first >= range.end.value_or(whole.entries.size()))
    fail_request("steps ", *complete.steps, ": strength and refiner-start leave none of them to do");
  return sampler.plan(scheduler, {*complete.steps, range, complete.eta, tokens});
}

Request complete_request(const Request& request, const Model& model) {
  check_lengths(request);
  Request complete = request;
  complete.sampler = find_sampler(request.sampler ? *request.sampler : own_sampler(model)).name;
  complete.steps = request.steps.value_or(model.steps);
  complete.guidance_scale = request.guidance_scale.value_or(model.guidance_scale);
  complete.seed = request.seed ? *request.seed : random_seed();
  const int multiple = model.size_multiple();
  check_pictures(request, model);
  complete_controls(complete, model);
  int width = model.native_width(), height = model.native_height();
  const std::vector<std::string>& controls = request.control_image;
  if (request.init_image || !controls.empty()) {
    const Image size = read_picture_size(request.init_image ? *request.init_image : controls.front());
    width = size.width / multiple * multiple;
    height = size.height / multiple * multiple;
  }
  if (request.init_image) {
    if (!request.strength) complete.strength = request.mask ? 1.0 : 0.8;
    if (model.image_input == ImageInput::kPicture) complete.strength.reset();
  }
  if (request.mask) read_picture_size(*request.mask);
  complete.width = checked_size("width", request.width.value_or(width), multiple);
  complete.height = checked_size("height", request.height.value_or(height), multiple);
  if (complete.strength && !(*complete.strength > 0.0 && *complete.strength <= 1.0))
    fail_request("strength ", *complete.strength, ": expected more than 0, at most 1");
  if (!(complete.refiner_start > 0.0 && complete.refiner_start < 1.0))
    fail_request("refiner-start ", complete.refiner_start, ": expected between 0 and 1");
  if (*complete.steps < 1 || *complete.steps > kMaxSteps)
    fail_request("steps ", *complete.steps, ": expected 1 to ", kMaxSteps);
  if (!std::isfinite(*complete.guidance_scale)) fail_request("guidance-scale: expected a finite number");
  complete.image_guidance_scale = request.image_guidance_scale.value_or(1.5);
  if (!std::isfinite(*complete.image_guidance_scale))
    fail_request("image-guidance-scale: expected a finite number");
  complete.guidance_rescale = request.guidance_rescale.value_or(model.guidance_rescale);
  if (!(*complete.guidance_rescale >= 0.0 && *complete.guidance_rescale <= 1.0))
    fail_request("guidance-rescale ", *complete.guidance_rescale, ": expected 0 to 1");
  if (!(complete.eta >= 0.0 && complete.eta <= 1.0)) fail_request("eta ", complete.eta, ": expected 0 to 1");
  const Sampler& sampler = find_sampler(*complete.sampler);
  overridden(model.scheduler, overrides_of(complete));  // refuses unknown names
  require_used(sampler, overrides_of(complete));
  if (complete.count < 1 || complete.count > kMaxPictures)
    fail_request("count ", complete.count, ": expected 1 to ", kMaxPictures);
  if (complete.best_of < 1 || complete.best_of > kMaxPictures / complete.count)
    fail_request("best-of ", complete.best_of, ": expected 1 to ", kMaxPictures / complete.count);
  check_words(complete);
  check_clip_skip(complete, model);
  check_steering(complete, model);
  plan_of(complete, model);  // too many or too few steps are refused here
  return complete;
}

}  // namespace sdgen
