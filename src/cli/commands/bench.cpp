#include "cli/commands/bench.h"

#include <chrono>
#include <cstdio>
#include <map>
#include <tuple>

#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/options/model_path.h"
#include "sdgen/measure.h"

namespace sdgen::cli {
namespace {

const char kPrompt[] = "a blue tulip to the left of an orange truck";

struct Interrupted {
  std::size_t runs_done = 0;  // of the combination in work
};

Request bench_request(const Options& options) {
  if (!options.prompt_file.empty())
    throw Error(ErrorKind::kRequest, "bench draws one prompt: give it with --prompt, not as a file");
  if (!options.job.edit_picture.empty())
    throw Error(ErrorKind::kRequest, "bench measures a picture of its own: leave --edit-from out");
  Request request = options.job;
  if (!options.has_prompt) request.prompt = kPrompt;
  request.count = options.batch_size;
  if (!request.seed) request.seed = 0;
  return request;
}

Generator make_generator(const Options& options) {
  return {model_files(options), options.compute};
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(ErrorKind::kWorking, "the results could not be printed to standard output");
}

// Measures one combination of options.
class Measurement {
 public:
  Measurement(const Options& options, spdlog::logger& log)
      : options_(options),
        log_(log),
        generator_(make_generator(options)),
        request_(generator_.complete(bench_request(options))) {}

  const ModelInfo& model() const { return generator_.info(); }

  // All but peak, sweep and comparison. Throws Interrupted.
  BenchReport report() {
    BenchReport report{model(),         *request_.width,   *request_.height,        options_.batch_size,
                       *request_.steps, *request_.sampler, *request_.guidance_scale};
    add_times(report, runs());
    if (!options_.no_profile) report.profiles = profiles();
    report.versions = versions();
    return report;
  }

 private:
  // Throws Interrupted. A picture that fails ends the bench: its times would mean nothing.
  void draw(bool operators, const std::function<void(const StageEvent&)>& on_stage) {
    std::vector<Error> failures;
    Observer observer;
    observer.on_stage = on_stage;
    observer.on_failure = [&](std::size_t, int, const Error& error) { failures.push_back(error); };
    observer.on_warning = [&](const std::string& warning) { log_.warn(warning); };
    observer.should_stop = interrupted;
    const bool is_whole = generator_.run({request_}, {options_.batch_size, operators}, observer);
    if (!failures.empty()) throw failures.front();
    if (!is_whole) throw Interrupted{runs_done_};
  }

  std::vector<RunTimes> runs() {
    std::vector<RunTimes> runs;
    for (int i = -options_.warmup; i < options_.repetitions; ++i) {
      RunTimes times;
      const EnergyMeter energy;
      const auto begin = std::chrono::steady_clock::now();
      draw(/*operators=*/false, [&](const StageEvent& event) { add_event(times, event); });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      times.total = seconds.count() - times.load;
      times.joules = energy.joules();
      if (i < 0) {
        log_.info("warm-up {} of {}: {:.2f} s", i + options_.warmup + 1, options_.warmup, times.total);
      } else {
        log_.info("run {} of {}: {:.2f} s", i + 1, options_.repetitions, times.total);
        runs.push_back(std::move(times));
        ++runs_done_;
      }
    }
    return runs;
  }

  std::vector<StageProfile> profiles() {
    std::vector<StageEvent> events;
    log_.info("one more run, to time the operators");
    draw(/*operators=*/true, [&](const StageEvent& event) { events.push_back(event); });
    return stage_profiles(events);
  }

  const Options& options_;
  spdlog::logger& log_;
  Generator generator_;
  const Request request_;
  std::size_t runs_done_ = 0;
};

// All combinations, one after the other.
class Bench {
 public:
  Bench(const Options& options, spdlog::logger& log)
      : options_(options), log_(log), combinations_(combinations(options)) {
    if (!options.compare.empty()) old_ = read_results(options.compare);
    if (!is_sweep() && old_.size() > 1)
      throw Error(ErrorKind::kInput, options.compare + ": holds " + std::to_string(old_.size()) +
                                         " results; compare a sweep with it, or keep one of them");
    // What cannot be drawn is refused before anything is measured.
    if (is_sweep())
      for (const Combination& combination : combinations_) Measurement(combination.options, log_);
  }

  int run() {
    watch_interrupts(options_.log_level <= LogLevel::kInfo);
    try {
      for (const Combination& combination : combinations_) add(combination);
    } catch (const Interrupted& where) {
      print_table();
      if (is_sweep())
        tell_interrupted(options_.log_level, reports_.size(), combinations_.size(), "combinations");
      else
        tell_interrupted(options_.log_level, where.runs_done, static_cast<std::size_t>(options_.repetitions),
                         "runs");
      return 130;
    } catch (const Error&) {
      print_table();  // what was measured is kept
      throw;
    }
    print_table();
    return 0;
  }

 private:
  bool is_sweep() const { return !options_.sweep.empty(); }

  void add(const Combination& combination) {
    if (is_sweep()) {
      forget_peak_memory();  // the earlier combinations'
      log_.info("combination {} of {}: {}", reports_.size() + 1, combinations_.size(),
                swept_text(combination.swept));
    }
    BenchReport report = Measurement(combination.options, log_).report();
    if (!options_.no_profile) report.peak_gflops = peak(combination.options, report.model);
    report.swept = combination.swept;
    compare_with_old(report);
    if (options_.json) print(bench_json(report));
    reports_.push_back(std::move(report));
  }

  // Measured once for each place and kind of computation.
  double peak(const Options& options, const ModelInfo& model) {
    const auto [known, is_new] = peaks_.try_emplace({model.device, model.dtype, model.threads});
    if (is_new) known->second = peak_gflops(options.compute);
    return known->second;
  }

  void compare_with_old(BenchReport& report) const {
    if (old_.empty()) return;
    const BenchObject now = bench_object(report);
    const BenchObject* const before = find_counterpart(old_, now);
    if (!before) {
      log_.warn("{} holds no result for {}", options_.compare, swept_text(report.swept));
      return;
    }
    report.comparison = compare(options_.compare, *before, now);
    for (const std::string& difference : report.comparison->differences)
      log_.warn("compared with {}: {}", options_.compare, difference);
  }

  void print_table() const {
    if (options_.json || reports_.empty()) return;
    print(is_sweep() ? sweep_text(reports_) : bench_text(reports_.front()));
  }

  const Options& options_;
  spdlog::logger& log_;
  const std::vector<Combination> combinations_;
  std::vector<BenchObject> old_;
  std::map<std::tuple<std::string, std::string, int>, double> peaks_;
  std::vector<BenchReport> reports_;
};

}  // namespace

int bench(const Options& options) {
  ProgressBar no_bar(false);
  const auto log = make_logger(options.log_level, no_bar);
  return Bench(options, *log).run();
}

}  // namespace sdgen::cli
