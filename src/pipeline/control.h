// What a request's ControlNets work with.
#pragma once

#include <vector>

#include "diffusion/guidance.h"
#include "pipeline/requests.h"

namespace sdgen {

// A control for each of `nets`, in their order: its picture resized to the request's size, its scale and the
// evaluations of `plan` in which it is active. `request` is complete; `nets` must outlive the result. Throws
// Error(kInput) if a picture cannot be read.
std::vector<Control> controls_of(const Request& request, const std::vector<ControlNet>& nets,
                                 const SamplingPlan& plan);

// The request with a scale, a start and an end for each of the model's ControlNets. Throws Error(kRequest) if
// pictures or numbers are too many, too few or out of range, Error(kInput) if a picture is no picture.
void complete_controls(Request& request, const Model& model);

}  // namespace sdgen
