// The names of sampler_table.cpp's rows, apart from what computes: --help lists them without loading
// libtorch.
#include "sdgen/request.h"

namespace sdgen {

std::vector<std::string> sampler_names() {
  return {"ddim", "ddpm", "pndm", "euler", "euler-a"};
}

}  // namespace sdgen
