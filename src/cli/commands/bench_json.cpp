// Bench results as JSON. Others parse it: keys are added, never changed.
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands/bench_report.h"

namespace sdgen::cli {
namespace {

using Json = nlohmann::ordered_json;

double rounded(double seconds) {
  return std::round(seconds * 1e7) / 1e7;
}

Json optional_json(const std::optional<double>& value) {
  return value ? Json(rounded(*value)) : Json();
}

// A run's seconds one by one: the first step costs more than the others, which no summary shows.
Json run_json(const RunTimes& run) {
  Json json = {{"load_s", rounded(run.load)},
               {"text_encode_s", rounded(run.text_encode)},
               {"denoise_steps_s", Json::array()},
               {"decode_s", rounded(run.decode)},
               {"total_s", rounded(run.total)}};
  for (const double seconds : run.denoise_steps) json["denoise_steps_s"].push_back(rounded(seconds));
  if (run.joules) json["joules"] = rounded(*run.joules);
  return json;
}

Json stage_json(const BenchReport& report, const std::string& stage, const Summary& summary) {
  Json json = {{"median_s", rounded(summary.median)},
               {"min_s", rounded(summary.min)},
               {"max_s", rounded(summary.max)},
               {"n", summary.n}};
  if (const StageProfile* const work = find_work(report, stage)) {
    json["gflop"] = rounded(work->gflop);
    json["of_peak"] = optional_json(part_of_peak(report, work->gflop, summary.median));
  }
  return json;
}

Json operator_json(const BenchReport& report, const StageProfile& profile, const OperatorRow& row) {
  Json json = {{"name", row.name},
               {"calls", rounded(row.calls)},
               {"seconds", rounded(row.seconds)},
               {"share", rounded(profile.seconds > 0.0 ? row.seconds / profile.seconds : 0.0)}};
  if (row.gflop > 0.0) {
    json["gflop"] = rounded(row.gflop);
    json["of_peak"] = optional_json(part_of_peak(report, row.gflop, row.seconds));
  }
  return json;
}

Json comparison_json(const Comparison& comparison) {
  Json json = {
      {"file", comparison.file}, {"ratios", Json::object()}, {"differences", comparison.differences}};
  for (const auto& [name, ratio] : comparison.ratios) json["ratios"][name] = rounded(ratio);
  return json;
}

}  // namespace

Json bench_object(const BenchReport& report) {
  Json json;
  json["model"] = report.model.name;
  json["device"] = report.model.device;
  json["dtype"] = report.model.dtype;
  json["quantize"] = report.model.quantize;
  json["threads"] = report.model.threads;
  json["width"] = report.width;
  json["height"] = report.height;
  json["batch_size"] = report.batch_size;
  json["steps"] = report.steps;
  json["sampler"] = report.sampler;
  json["guidance_scale"] = report.guidance_scale;
  for (const auto& [stage, summary] : report.stages)
    json["stages"][stage] = stage_json(report, stage, summary);
  for (const RunTimes& run : report.runs) json["runs"].push_back(run_json(run));
  json["pictures_per_minute"] = report.pictures_per_minute;
  json["peak_memory_bytes"] = report.peak_memory_bytes;
  json["joules_per_picture"] = optional_json(report.joules_per_picture);
  json["peak_gflops"] = optional_json(report.peak_gflops);
  for (const StageProfile& profile : report.profiles)
    for (const OperatorRow& row : profile.operators)
      json["operators"][profile.stage].push_back(operator_json(report, profile, row));
  if (!report.swept.empty()) json["sweep"] = swept_json(report.swept);
  if (report.comparison) json["compared_with"] = comparison_json(*report.comparison);
  for (const auto& [name, version] : report.versions) json["versions"][name] = version;
  return json;
}

std::string bench_json(const BenchReport& report) {
  return bench_object(report).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sdgen::cli
