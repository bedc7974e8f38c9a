// libFuzzer's door to the targets: SDGEN_FUZZ=jpeg build-fuzz/sdgen_fuzz CORPUS -max_total_time=60
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const sdgen::fuzz::FuzzTarget* const target = [] {
    const char* const name = std::getenv("SDGEN_FUZZ");
    const auto* const found = sdgen::fuzz::find_target(name ? name : "");
    if (found) return found;
    std::fputs("set SDGEN_FUZZ to one of:\n", stderr);
    for (const auto& known : sdgen::fuzz::targets()) std::fprintf(stderr, "  %s\n", known.name.c_str());
    std::exit(2);
  }();
  sdgen::fuzz::run_target(*target, {reinterpret_cast<const char*>(data), size});
  return 0;
}
