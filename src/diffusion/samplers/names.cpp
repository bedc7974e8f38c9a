// The names of samplers/table.cpp's rows and of schedules, apart from what computes: --help lists them without
// loading libtorch.
#include "sdgen/request.h"

namespace sdgen {

std::vector<std::string> sampler_names() {
  return {"ddim",        "ddpm",    "pndm",      "euler", "euler-a", "heun", "dpm2", "dpm2-a", "dpm++2m",
          "dpm++2m-sde", "dpm++2s", "dpm++2s-a", "unipc", "lms",     "deis", "lcm",  "tcd",
          "ipndm"};
}

std::vector<std::string> schedule_names() {
  return {"normal", "karras", "exponential", "beta", "lu"};
}

}  // namespace sdgen
