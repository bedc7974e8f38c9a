#include "cli/commands/bench_report.h"

#include <algorithm>
#include <map>

namespace sdgen::cli {
namespace {

std::optional<double> median_joules(const std::vector<RunTimes>& runs) {
  std::vector<double> joules;
  for (const RunTimes& run : runs) {
    if (!run.joules) return {};
    joules.push_back(*run.joules);
  }
  if (joules.empty()) return {};
  return summarise(joules).median;
}

// `events` of one stage, at least one.
StageProfile profile_of(const std::string& stage, const std::vector<const StageEvent*>& events) {
  StageProfile profile{stage, events.size(), 0.0, 0.0, {}};
  const double share = 1.0 / static_cast<double>(events.size());
  std::map<std::string, OperatorRow> rows;
  double in_operators = 0.0;
  for (const StageEvent* event : events) {
    profile.seconds += share * event->seconds;
    for (const OperatorTimes& times : event->operators) {
      OperatorRow& row = rows[times.name];
      row.calls += share * static_cast<double>(times.calls);
      row.seconds += share * times.seconds;
      row.gflop += share * times.gflop;
      in_operators += share * times.seconds;
      profile.gflop += share * times.gflop;
    }
  }
  for (auto& [name, row] : rows) {
    row.name = name;
    profile.operators.push_back(std::move(row));
  }
  std::stable_sort(profile.operators.begin(), profile.operators.end(),
                   [](const OperatorRow& a, const OperatorRow& b) { return a.seconds > b.seconds; });
  profile.operators.push_back({"other", 0.0, std::max(0.0, profile.seconds - in_operators), 0.0});
  return profile;
}

}  // namespace

void add_event(RunTimes& times, const StageEvent& event) {
  if (event.stage == "load") times.load += event.seconds;
  if (event.stage == "text_encode") times.text_encode += event.seconds;
  if (event.stage == "denoise_step") times.denoise_steps.push_back(event.seconds);
  if (event.stage == "decode") times.decode += event.seconds;
  times.peak_memory_bytes = std::max(times.peak_memory_bytes, event.peak_memory_bytes);
}

void add_times(BenchReport& report, const std::vector<RunTimes>& runs) {
  std::vector<double> load, text_encode, denoise_step, decode, total;
  for (const RunTimes& run : runs) {
    load.push_back(run.load);
    text_encode.push_back(run.text_encode);
    denoise_step.insert(denoise_step.end(), run.denoise_steps.begin(), run.denoise_steps.end());
    decode.push_back(run.decode);
    total.push_back(run.total);
    report.peak_memory_bytes = std::max(report.peak_memory_bytes, run.peak_memory_bytes);
  }
  const Summary whole = summarise(total);
  report.stages = {{"load", summarise(load)},
                   {"text_encode", summarise(text_encode)},
                   {"denoise_step", summarise(denoise_step)},
                   {"decode", summarise(decode)},
                   {"total", whole}};
  report.runs = runs;
  report.pictures_per_minute = whole.median > 0.0 ? 60.0 * report.batch_size / whole.median : 0.0;
  if (const auto joules = median_joules(runs)) report.joules_per_picture = *joules / report.batch_size;
}

std::vector<StageProfile> stage_profiles(const std::vector<StageEvent>& events) {
  std::vector<StageProfile> profiles;
  for (const char* stage : {"denoise_step", "decode"}) {
    std::vector<const StageEvent*> of_stage;
    for (const StageEvent& event : events)
      if (event.stage == stage) of_stage.push_back(&event);
    if (!of_stage.empty()) profiles.push_back(profile_of(stage, of_stage));
  }
  return profiles;
}

const StageProfile* find_work(const BenchReport& report, const std::string& stage) {
  for (const StageProfile& profile : report.profiles)
    if (profile.stage == stage && profile.gflop > 0.0) return &profile;
  return nullptr;
}

std::optional<double> part_of_peak(const BenchReport& report, double gflop, double seconds) {
  if (!report.peak_gflops || gflop <= 0.0 || seconds <= 0.0) return {};
  return gflop / seconds / *report.peak_gflops;
}

}  // namespace sdgen::cli
