#include "cli/output/stage_log.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "cli/log.h"

namespace sdgen::cli {

void StageLog::note(const StageEvent& event, spdlog::logger& log) {
  Sum& sum = sums_[event.stage];
  sum.seconds += event.seconds;
  ++sum.times;
  peak_memory_bytes_ = std::max(peak_memory_bytes_, event.peak_memory_bytes);
  const auto level = event.stage == "denoise_step" ? spdlog::level::trace : spdlog::level::debug;
  log.log(level, "{}{}{}: {:.3f} s, peak memory {}", event.stage, event.detail.empty() ? "" : " ",
          event.detail, event.seconds, memory_text(event.peak_memory_bytes));
}

void StageLog::tell_plan(const MemoryPlan& plan, spdlog::logger& log) {
  for (const MemoryPlan::Part& part : plan.parts) {
    std::string text = fmt::format("plan {}: weights {}", part.name, memory_text(part.weight_bytes));
    if (part.streamed_bytes > 0)
      text += fmt::format(", {} more read at every step", memory_text(part.streamed_bytes));
    if (part.work_bytes > 0) text += fmt::format(", work about {}", memory_text(part.work_bytes));
    log.debug(text);
  }
  log.debug("plan process: {} before any of it", memory_text(plan.process_bytes));
  log.debug("plan: about {} at most{}", memory_text(plan.peak_bytes),
            plan.available_bytes ? fmt::format(" of {}", memory_text(*plan.available_bytes)) : "");
}

void StageLog::totals(spdlog::logger& log) const {
  for (const char* stage : {"load", "text_encode", "denoise_step", "decode", "rank"}) {
    const auto sum = sums_.find(stage);
    if (sum != sums_.end())
      log.debug("total {}: {:.3f} s in {}", stage, sum->second.seconds, sum->second.times);
  }
  if (peak_memory_bytes_ > 0) log.debug("peak memory: {}", memory_text(peak_memory_bytes_));
}

}  // namespace sdgen::cli
