#include "cli/commands/generate_stream.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "cli/commands/edit_from.h"
#include "cli/commands/picture_run.h"
#include "cli/commands/requests.h"
#include "cli/interrupt.h"
#include "cli/options/refuse.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPictures = 1'000'000;  // of one stream: each name is remembered

// Prompts that come one after the other: what of the run's plan grows with them.
class Stream {
 public:
  Stream(const Options& options, Generator& generator, PictureRun& run)
      : options_(options), generator_(generator), run_(run), defaults_(options.job) {
    defaults_.prompt.clear();
  }

  void draw(const ArrivedLines& lines) {
    PromptFile file = parse_prompt_text(kName, lines.text, defaults_, lines.first_line);
    for (const LineError& error : std::exchange(file.errors, {})) tell(error);
    run_.first_request = run_.plan.jobs.size();
    for (PromptLine& line : file.lines) add(std::move(line));
    const std::vector<Job>& jobs = run_.plan.jobs;
    const std::vector<Request> requests(jobs.begin() + static_cast<std::ptrdiff_t>(run_.first_request),
                                        jobs.end());
    if (requests.empty()) return;
    const bool is_whole = generator_.run(requests, run_.side.run_options(), observe(run_));
    run_.tally.is_interrupted = !is_whole && interrupted();
  }

 private:
  static constexpr const char* kName = "standard input";

  void tell(const LineError& error) {
    ++run_.tally.total;
    ++run_.tally.failed;
    if (!run_.tally.first_failure) run_.tally.first_failure = ErrorKind::kRequest;
    run_.log.error(PromptFileError(kName, {error}).messages().front());
  }

  // A line becomes a job of the plan, or is told to be wrong.
  void add(PromptLine line) {
    PromptFile alone{kName, {std::move(line)}, {}};
    PromptLine& own = alone.lines.front();
    const std::vector<EarlierPicture> earlier = take_from_pictures(alone);
    if (alone.errors.empty())
      complete_line([this](const Request& request) { return generator_.complete(request); }, own, alone);
    if (alone.errors.empty()) {
      try {
        plan(own.job);
      } catch (const Error& error) {
        alone.errors.push_back({own.line, 1, error.what()});
      }
    }
    if (!alone.errors.empty()) return tell(alone.errors.front());
    for (const EarlierPicture& picture : earlier)
      if (const std::string text = edit_warning(picture, run_.model); !text.empty()) run_.log.warn(text);
  }

  void plan(const Job& job) {
    if (job.output == kStandardOutput)
      refuse("--output -: standard output takes one picture, and more lines may come; name a folder");
    RunPlan added{{job}, {naming_of(job)}, {}, {}};
    added.names = {names_of(added.namings.front(), job)};
    if (job.output.empty() && !are_new(added.names.front())) {
      Job with_index = job;
      with_index.output = "sd-gen-{index}-{seed}.png";
      added.namings = {naming_of(with_index)};
      added.names = {names_of(added.namings.front(), job)};
    }
    if (!are_new(added.names.front()))
      refuse("two pictures of this run would be written to " + added.names.front().front().string() +
             "; use {index} or {seed} in --output");
    if (written_.size() + added.names.front().size() > kMaxPictures)
      refuse("more than " + std::to_string(kMaxPictures) + " pictures of one run; start another");
    check_outputs(added, run_.model, options_);
    run_.side.check_previews_of(added);
    for (const fs::path& name : added.names.front()) written_.insert(name.lexically_normal());
    run_.tally.total += added.names.front().size();
    pictures_ += added.names.front().size();
    if (!job.own_output) numbered_ += added.names.front().size();
    run_.plan.jobs.push_back(job);
    run_.plan.namings.push_back(std::move(added.namings.front()));
    run_.plan.names.push_back(std::move(added.names.front()));
  }

  // As if there were no picture after these.
  JobNaming naming_of(const Job& job) const {
    JobNaming naming = job_namings({job}).front();
    naming.first_index = pictures_ + 1;
    naming.total = pictures_ + static_cast<std::size_t>(job.count);
    if (job.own_output || !is_plain(naming.pieces)) return naming;
    naming.is_numbered = true;
    naming.first_number = numbered_ + 1;
    naming.siblings = numbered_ + static_cast<std::size_t>(job.count);
    return naming;
  }

  std::vector<fs::path> names_of(const JobNaming& naming, const Job& job) const {
    std::vector<fs::path> names;
    for (int k = 0; k < job.count; ++k)
      names.push_back(name_of(
          naming, job, k, *job.seed + static_cast<std::uint64_t>(k) * static_cast<std::uint64_t>(job.best_of),
          run_.model.name));
    return names;
  }

  bool are_new(const std::vector<fs::path>& names) const {
    return std::none_of(names.begin(), names.end(),
                        [this](const fs::path& name) { return written_.contains(name.lexically_normal()); });
  }

  const Options& options_;
  Generator& generator_;
  PictureRun& run_;
  Job defaults_;
  std::set<fs::path> written_;
  std::size_t pictures_ = 0;
  std::size_t numbered_ = 0;  // under the command line's own name
};

}  // namespace

bool may_stream(const Options& options) {
  return options.prompt_file == "-" && options.sweep.empty() && options.grid.empty() &&
         options.report.empty() && options.attention_maps.empty() && !options.attention_detail &&
         options.job.output != kStandardOutput;
}

int generate_stream(const Options& options, const OpenGenerator& open, PromptStream& stream,
                    ArrivedLines lines, ProgressBar& bar, spdlog::logger& log) {
  Options kept = options;
  kept.compute.keep_loaded = true;
  bar.tell("opening " + model_shown(options));
  Generator generator = open(kept);
  log_model(generator.info(), log);
  PromptFile none;  // what the command line itself asks for is checked once
  complete_requests([&](const Request& request) { return generator.complete(request); }, options, none);
  RunPlan plan;
  SideOutputs side(
      options, plan, generator.info(), bar, [&log](const std::string& text) { log.info(text); },
      [&log](const std::string& text) { log.warn(text); });
  PictureRun run{options, generator.info(), plan, side, bar, log};
  run.is_stream = true;
  watch_interrupts(options.log_level <= LogLevel::kInfo);
  Stream drawn(options, generator, run);
  for (;;) {
    drawn.draw(lines);
    if (lines.is_end || interrupted() || !run.has_stdout) break;
    bar.clear();
    lines = stream.next(0, interrupted);
    if (!stream.has_reader()) run.has_stdout = false;
    if (interrupted() || !run.has_stdout) break;
  }
  run.tally.is_interrupted = interrupted();
  if (run.tally.total == 0 && lines.is_end)
    throw Error(ErrorKind::kRequest, "standard input holds no prompt");
  return report(run);
}

}  // namespace sdgen::cli
