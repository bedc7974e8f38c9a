// Number formats that a processor has no instructions for.
#pragma once

#include <string>

#include "compute/compute.h"

namespace sdgen {

// A line for who asked for half precision on a CPU that converts it at every operation; empty otherwise.
std::string slow_dtype_warning(const ComputeOptions& options, const Compute& compute);

}  // namespace sdgen
