#include "cli/bench.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/model_path.h"

namespace sdgen::cli {
namespace {

const char kPrompt[] = "a red circle above a blue square";

Request bench_request(const Options& options) {
  if (!options.prompt_file.empty())
    throw Error(ErrorKind::kRequest, "bench draws one prompt: give it with --prompt, not as a file");
  Request request = options.job;
  if (!options.has_prompt) request.prompt = kPrompt;
  request.count = options.batch_size;
  if (!request.seed) request.seed = 0;
  return request;
}

// One run; false if it was interrupted. A picture that fails ends the bench: its times would mean nothing.
bool measure(Generator& generator, const Request& request, const Options& options, spdlog::logger& log,
             RunTimes& times) {
  std::vector<Error> failures;
  Observer observer;
  observer.on_stage = [&](const StageEvent& event) { add_event(times, event); };
  observer.on_failure = [&](std::size_t, int, const Error& error) { failures.push_back(error); };
  observer.on_warning = [&](const std::string& warning) { log.warn(warning); };
  observer.should_stop = interrupted;
  const auto begin = std::chrono::steady_clock::now();
  const bool is_whole = generator.run({request}, {options.batch_size}, observer);
  times.total = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() - times.load;
  if (!failures.empty()) throw failures.front();
  return is_whole;
}

double rounded(double seconds) {
  return std::round(seconds * 1e7) / 1e7;
}

// A run's seconds one by one: the first step costs more than the others, which no summary shows.
nlohmann::ordered_json run_json(const RunTimes& run) {
  nlohmann::ordered_json json = {{"load_s", rounded(run.load)},
                                 {"text_encode_s", rounded(run.text_encode)},
                                 {"denoise_steps_s", nlohmann::ordered_json::array()},
                                 {"decode_s", rounded(run.decode)},
                                 {"total_s", rounded(run.total)}};
  for (const double seconds : run.denoise_steps) json["denoise_steps_s"].push_back(rounded(seconds));
  return json;
}

nlohmann::ordered_json summary_json(const Summary& summary) {
  return {{"median_s", rounded(summary.median)},
          {"min_s", rounded(summary.min)},
          {"max_s", rounded(summary.max)},
          {"n", summary.n}};
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(ErrorKind::kWorking, "the results could not be printed to standard output");
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
}

std::string bench_json(const BenchReport& report) {
  nlohmann::ordered_json json;
  json["model"] = report.model.name;
  json["device"] = report.model.device;
  json["dtype"] = report.model.dtype;
  json["threads"] = report.model.threads;
  json["width"] = report.width;
  json["height"] = report.height;
  json["batch_size"] = report.batch_size;
  for (const auto& [stage, summary] : report.stages) json["stages"][stage] = summary_json(summary);
  for (const RunTimes& run : report.runs) json["runs"].push_back(run_json(run));
  json["pictures_per_minute"] = report.pictures_per_minute;
  json["peak_memory_bytes"] = report.peak_memory_bytes;
  for (const auto& [name, version] : report.versions) json["versions"][name] = version;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string bench_text(const BenchReport& report) {
  std::string text = fmt::format("{}, {}x{} pixels, batch {}, on {} in {}, {} threads\n\n", report.model.name,
                                 report.width, report.height, report.batch_size, report.model.device,
                                 report.model.dtype, report.model.threads);
  text += fmt::format("{:<14}{:>12}{:>12}{:>12}{:>6}\n", "stage", "median s", "min s", "max s", "n");
  for (const auto& [stage, summary] : report.stages)
    text += fmt::format("{:<14}{:>12.4f}{:>12.4f}{:>12.4f}{:>6}\n", stage, summary.median, summary.min,
                        summary.max, summary.n);
  return text + fmt::format("\n{:.2f} pictures a minute, peak memory {}\n", report.pictures_per_minute,
                            memory_text(report.peak_memory_bytes));
}

int bench(const Options& options) {
  ProgressBar no_bar(false);
  const auto log = make_logger(options.log_level, no_bar);
  const Request asked = bench_request(options);
  Generator generator(find_model(chosen_model(options.model), model_folders()), options.compute);
  const Request request = generator.complete(asked);
  watch_interrupts();
  std::vector<RunTimes> runs;
  for (int i = -options.warmup; i < options.repetitions; ++i) {
    RunTimes times;
    if (!measure(generator, request, options, *log, times)) {
      tell_interrupted(options.log_level, runs.size(), static_cast<std::size_t>(options.repetitions), "runs");
      return 130;
    }
    if (i < 0)
      log->info("warm-up {} of {}: {:.2f} s", i + options.warmup + 1, options.warmup, times.total);
    else
      log->info("run {} of {}: {:.2f} s", i + 1, options.repetitions, times.total);
    if (i >= 0) runs.push_back(std::move(times));
  }
  BenchReport report{generator.info(), *request.width, *request.height, options.batch_size, {}, {}, 0.0, 0,
                     versions()};
  add_times(report, runs);
  print(options.json ? bench_json(report) : bench_text(report));
  return 0;
}

}  // namespace sdgen::cli
