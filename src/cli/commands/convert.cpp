#include "cli/commands/convert.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "sdgen/convert.h"
#include "sdgen/error.h"
#include "sdgen/hub_cache.h"

namespace sdgen::cli {

int run_convert(const Options& options) {
  ConvertOptions how{
      .dtype = options.compute.dtype, .overwrite = options.overwrite, .ema = options.ema, .parts = {}};
  for (const auto& [component, path] : options.parts) how.parts.emplace(component, hub_snapshot(path));
  const Converted converted = convert_model(hub_snapshot(options.paths[0]), options.paths[1], how);
  const nlohmann::ordered_json json = {{"path", converted.path.string()}, {"bytes", converted.bytes}};
  const std::string text = options.json
                               ? json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                               : converted.path.string();
  if (std::puts(text.c_str()) < 0 || std::fflush(stdout) != 0)
    throw Error(ErrorKind::kWorking, "the results could not be printed to standard output");
  return 0;
}

}  // namespace sdgen::cli
