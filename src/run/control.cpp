#include "run/control.h"

#include <cmath>

#include "image/pixels.h"

namespace sdgen {
namespace {

// One number for each ControlNet.
std::vector<double> one_each(const char* name, const std::vector<double>& given, double otherwise,
                             std::size_t count) {
  if (given.empty()) return std::vector<double>(count, otherwise);
  if (count == 0) fail_request(name, ": it needs a ControlNet (--controlnet PATH)");
  if (given.size() == 1) return std::vector<double>(count, given.front());
  if (given.size() != count)
    fail_request(name, ": ", given.size(), " numbers for ", count,
                 " ControlNets; give one for each or one for all");
  return given;
}

void check_numbers(const Request& request) {
  for (std::size_t i = 0; i < request.control_image.size(); ++i) {
    const double start = request.control_start[i], end = request.control_end[i];
    if (!std::isfinite(request.control_scale[i])) fail_request("control-scale: expected a finite number");
    if (!(start >= 0.0 && start < end && end <= 1.0))
      fail_request("control-start ", start, ", control-end ", end,
                   ": expected 0 to 1, the start before the end");
  }
}

}  // namespace

void complete_controls(Request& request, const Model& model) {
  const std::size_t count = model.controlnets.size();
  if (count > kMaxControlNets)
    fail_request("controlnet: ", count, " ControlNets; at most ", kMaxControlNets, " work together");
  if (count == 0 && !request.control_image.empty())
    fail_request("control-image: it needs a ControlNet (--controlnet PATH)");
  if (request.control_image.size() != count)
    fail_request("control-image: ", request.control_image.size(), " pictures for ", count,
                 " ControlNets; each needs one");
  request.control_scale = one_each("control-scale", request.control_scale, 1.0, count);
  request.control_start = one_each("control-start", request.control_start, 0.0, count);
  request.control_end = one_each("control-end", request.control_end, 1.0, count);
  check_numbers(request);
  for (const std::string& file : request.control_image) read_picture_size(file);
}

ControlKey control_key(const Request& request) {
  return {request.control_image, *request.width, *request.height};
}

std::vector<Tensor> read_control_pictures(const Request& request) {
  std::vector<Tensor> pictures;
  for (const std::string& file : request.control_image)
    pictures.push_back(unit_pixels_from_image(resize(read_picture(file), *request.width, *request.height)));
  return pictures;
}

std::vector<Control> controls_of(const Request& request, const std::vector<Tensor>& pictures,
                                 const std::vector<ControlNet>& nets, const SamplingPlan& plan) {
  std::vector<Control> controls;
  // As diffusers counts: of the evaluations from the plan's first on, whoever does the last of them.
  const auto active = [&](double start, double end) {
    std::vector<bool> steps = evaluations_within(start, end, plan.entries.size() - plan.first);
    steps.insert(steps.begin(), plan.first, false);
    return steps;
  };
  for (std::size_t i = 0; i < nets.size(); ++i)
    controls.push_back({nets[i], pictures[i], request.control_scale[i],
                        active(request.control_start[i], request.control_end[i])});
  return controls;
}

}  // namespace sdgen
