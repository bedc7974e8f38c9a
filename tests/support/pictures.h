// Whole pictures as golden cases tell them and as tensors.
#pragma once

#include <vector>

#include "sdgen/generator.h"
#include "support/golden.h"

namespace sdgen::testing {

inline Request request_of(const Json& expected) {
  Request request;
  request.prompt = expected["prompt"];
  if (!expected["negative_prompt"].is_null()) request.negative_prompt = expected["negative_prompt"];
  request.steps = expected["steps"];
  request.guidance_scale = expected["guidance_scale"];
  if (!expected["sampler"].is_null()) request.sampler = expected["sampler"];
  request.eta = expected["eta"];
  request.seed = expected["seed"].get<std::uint64_t>();
  if (!expected["width"].is_null()) request.width = expected["width"];
  if (!expected["height"].is_null()) request.height = expected["height"];
  request.count = expected["count"];
  request.guidance_rescale = expected.value("guidance_rescale", 0.0);
  request.refiner_start = expected.value("refiner_start", 0.8);
  if (expected.contains("clip_skip")) request.clip_skip = expected["clip_skip"];
  if (expected.contains("strength")) request.strength = expected["strength"];
  if (expected.contains("image_guidance_scale"))
    request.image_guidance_scale = expected["image_guidance_scale"];
  for (const auto& [key, file] : {std::pair{"init_image", &request.init_image}, {"mask", &request.mask}})
    if (expected.contains(key)) *file = golden_path("families/" + expected[key].get<std::string>());
  for (const Json& file : expected.value("control_image", Json::array()))
    request.control_image.push_back(golden_path("families/" + file.get<std::string>()));
  request.control_scale = expected.value("control_scale", std::vector<double>());
  request.control_start = expected.value("control_start", std::vector<double>());
  request.control_end = expected.value("control_end", std::vector<double>());
  return request;
}

inline Tensor tensor_of(const std::vector<Image>& images) {  // [N, H, W, 3]
  std::vector<Tensor> rows;
  for (const Image& image : images)
    rows.push_back(
        at::tensor(at::ArrayRef<std::uint8_t>(image.rgb), at::kByte).view({image.height, image.width, 3}));
  return at::stack(rows);
}

}  // namespace sdgen::testing
