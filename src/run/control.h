// What a request's ControlNets work with.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "diffusion/guidance.h"
#include "run/requests.h"

namespace sdgen {

// control_image, width, height
using ControlKey = std::tuple<std::vector<std::string>, int, int>;

// What read_control_pictures() depends on.
ControlKey control_key(const Request& request);

// Each of the complete request's control images, resized to its size: [1, 3, H, W] RGB, 0 to 1. Throws
// Error(kInput) if one cannot be read.
std::vector<Tensor> read_control_pictures(const Request& request);

// A control for each of `nets`, in their order: its picture, its scale and the evaluations of `plan` in which
// it is active. `request` is complete; `nets` must outlive the result.
std::vector<Control> controls_of(const Request& request, const std::vector<Tensor>& pictures,
                                 const std::vector<ControlNet>& nets, const SamplingPlan& plan);

// The request with a scale, a start and an end for each of the model's ControlNets. Throws Error(kRequest) if
// pictures or numbers are too many, too few or out of range, Error(kInput) if a picture is no picture.
void complete_controls(Request& request, const Model& model);

}  // namespace sdgen
