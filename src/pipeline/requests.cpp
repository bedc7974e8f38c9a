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

std::string own_sampler(const ModelFolder& model) {
  if (const Sampler* sampler = find_sampler_of(model.scheduler)) return sampler->name;
  fail_input((model.path / "scheduler" / "scheduler_config.json").string(), ": scheduler ",
             model.scheduler.class_name,
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

std::uint64_t random_seed() {
  return std::random_device{}();
}

}  // namespace

Request complete_request(const Request& request, const ModelFolder& model) {
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
  if (!(complete.eta >= 0.0 && complete.eta <= 1.0)) fail_request("eta ", complete.eta, ": expected 0 to 1");
  const Sampler& sampler = find_sampler(*complete.sampler);
  const SchedulerConfig scheduler = overridden(model.scheduler, complete);  // refuses unknown names
  require_used(sampler, complete);
  if (complete.count < 1 || complete.count > kMostPictures)
    fail_request("count ", complete.count, ": expected 1 to ", kMostPictures);
  check_words(complete);
  // Too many or too few steps are refused here.
  sampler.plan(scheduler, *complete.steps);
  return complete;
}

std::vector<std::vector<Job>> plan_batches(const std::vector<Request>& requests, int batch_size) {
  if (batch_size < 1) fail_request("batch-size ", batch_size, ": expected 1 or more");
  const auto settings = [](const Request& request) {
    return std::tuple(*request.steps, *request.sampler, request.eta, request.schedule,
                      request.prediction_type, request.timestep_spacing, request.zero_snr,
                      *request.guidance_scale, *request.width, *request.height, request.edit_from);
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
