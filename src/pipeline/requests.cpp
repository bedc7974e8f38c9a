#include "pipeline/requests.h"

#include <cmath>
#include <random>
#include <tuple>

#include "diffusion/samplers.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

constexpr int kMostPixels = 16384;  // a side; beyond it is a slip of the finger
constexpr int kMostPictures = 1'000'000;

int checked_size(const char* name, int pixels, int multiple) {
  if (pixels < multiple || pixels > kMostPixels || pixels % multiple != 0) {
    const int lower = std::max(pixels / multiple * multiple, multiple);
    const std::string nearest = pixels > multiple && pixels < kMostPixels
                                    ? concat("; nearest: ", lower, " and ", lower + multiple)
                                    : "";
    fail_request(name, " ", pixels, ": expected a multiple of ", multiple, ", at most ", kMostPixels,
                 nearest);
  }
  return pixels;
}

std::string own_sampler(const Model& model) {
  if (const Sampler* sampler = find_sampler_of_class(model.scheduler.class_name)) return sampler->name;
  fail_input(model.source.config("scheduler").path.string(), ": scheduler ", model.scheduler.class_name,
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

std::uint64_t random_seed() {
  return std::random_device{}();
}

}  // namespace

SchedulerConfig scheduler_of(const Request& complete, const Model& model) {
  SchedulerConfig scheduler = model.scheduler;
  if (find_sampler(*complete.sampler).scheduler_class != scheduler.class_name) scheduler.clip_sample = false;
  return scheduler;
}

Request complete_request(const Request& request, const Model& model) {
  Request complete = request;
  complete.sampler = find_sampler(request.sampler ? *request.sampler : own_sampler(model)).name;
  complete.steps = request.steps.value_or(model.steps);
  complete.guidance_scale = request.guidance_scale.value_or(model.guidance_scale);
  complete.seed = request.seed ? *request.seed : random_seed();
  const int multiple = std::max(8, static_cast<int>(model.vae.pixels_per_latent()));
  complete.width = checked_size("width", request.width.value_or(model.native_width()), multiple);
  complete.height = checked_size("height", request.height.value_or(model.native_height()), multiple);
  if (*complete.steps < 1) fail_request("steps ", *complete.steps, ": expected 1 or more");
  if (!std::isfinite(*complete.guidance_scale)) fail_request("guidance-scale: expected a finite number");
  complete.image_guidance_scale = request.image_guidance_scale.value_or(1.5);
  if (!std::isfinite(*complete.image_guidance_scale))
    fail_request("image-guidance-scale: expected a finite number");
  if (!(complete.guidance_rescale >= 0.0 && complete.guidance_rescale <= 1.0))
    fail_request("guidance-rescale ", complete.guidance_rescale, ": expected 0 to 1");
  if (!(complete.eta >= 0.0 && complete.eta <= 1.0)) fail_request("eta ", complete.eta, ": expected 0 to 1");
  if (complete.eta > 0.0 && *complete.sampler != "ddim")
    fail_request("eta ", complete.eta, ": only sampler ddim takes it, this is ", *complete.sampler);
  if (complete.count < 1 || complete.count > kMostPictures)
    fail_request("count ", complete.count, ": expected 1 to ", kMostPictures);
  check_words(complete);
  find_sampler(*complete.sampler)
      .plan(scheduler_of(complete, model), *complete.steps);  // too many or too few steps are refused here
  return complete;
}

std::vector<std::vector<Job>> plan_batches(const std::vector<Request>& requests, int batch_size) {
  if (batch_size < 1) fail_request("batch-size ", batch_size, ": expected 1 or more");
  const auto settings = [](const Request& request) {
    return std::tuple(*request.steps, *request.sampler, request.eta, *request.guidance_scale,
                      *request.image_guidance_scale, request.guidance_rescale, *request.width,
                      *request.height, request.edit_from, request.init_image, request.strength, request.mask);
  };
  std::vector<std::vector<Job>> batches;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (int k = 0; k < requests[i].count; ++k) {
      const bool joins = !batches.empty() && batches.back().size() < static_cast<std::size_t>(batch_size) &&
                         settings(requests[batches.back().front().request_index]) == settings(requests[i]) &&
                         !requests[i].edit_from;  // has a companion in its batch already
      if (!joins) batches.emplace_back();
      batches.back().push_back({i, k, *requests[i].seed + static_cast<std::uint64_t>(k)});
    }
  }
  return batches;
}

}  // namespace sdgen
