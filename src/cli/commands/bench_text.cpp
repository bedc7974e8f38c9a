// Bench results as tables for people.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "cli/commands/bench_report.h"
#include "cli/log.h"
#include "sdgen/printable.h"

namespace sdgen::cli {
namespace {

// Rows of a stage that take less are told together.
constexpr double kLeastShare = 0.005;

using Cells = std::vector<std::string>;

std::string percent(const std::optional<double>& part) {
  return part ? fmt::format("{:.0f}%", 100.0 * *part) : "";
}

std::string ratio_text(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.3f}", *ratio) : "";
}

// Columns as wide as they need to be, the first `left` of them set to the left.
std::string table(const std::vector<Cells>& rows, std::size_t left = 1) {
  std::vector<std::size_t> widths;
  for (const Cells& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Cells& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line +=
          i < left ? fmt::format("{:<{}}  ", row[i], widths[i]) : fmt::format("{:>{}}  ", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string stage_table(const BenchReport& report) {
  Cells head = {"stage", "median s", "min s", "max s", "n"};
  if (!report.profiles.empty()) head.insert(head.end(), {"GFLOP", "GFLOP/s", "of peak"});
  if (report.comparison) head.emplace_back("new/old");
  std::vector<Cells> rows = {head};
  for (const auto& [stage, summary] : report.stages) {
    Cells& row = rows.emplace_back(Cells{stage, fmt::format("{:.4f}", summary.median),
                                         fmt::format("{:.4f}", summary.min),
                                         fmt::format("{:.4f}", summary.max), fmt::format("{}", summary.n)});
    if (const StageProfile* const work = find_work(report, stage))
      row.insert(row.end(), {fmt::format("{:.2f}", work->gflop),
                             summary.median > 0.0 ? fmt::format("{:.1f}", work->gflop / summary.median) : "",
                             percent(part_of_peak(report, work->gflop, summary.median))});
    else if (!report.profiles.empty())
      row.insert(row.end(), 3, "");
    if (report.comparison) row.push_back(ratio_text(report.comparison->ratio(stage)));
  }
  return table(rows);
}

Cells operator_cells(const BenchReport& report, const StageProfile& profile, const OperatorRow& row) {
  return {row.name,
          row.calls > 0.0 ? fmt::format("{:.4g}", row.calls) : "",
          fmt::format("{:.3f}", 1e3 * row.seconds),
          percent(profile.seconds > 0.0 ? row.seconds / profile.seconds : 0.0),
          row.gflop > 0.0 && row.seconds > 0.0 ? fmt::format("{:.1f}", row.gflop / row.seconds) : "",
          percent(part_of_peak(report, row.gflop, row.seconds))};
}

std::string operator_table(const BenchReport& report, const StageProfile& profile) {
  OperatorRow other{"other"};
  std::vector<Cells> rows = {{"operator", "calls", "ms", "share", "GFLOP/s", "of peak"}};
  for (const OperatorRow& row : profile.operators) {
    if (row.name != "other" && row.seconds >= kLeastShare * profile.seconds)
      rows.push_back(operator_cells(report, profile, row));
    else
      other.seconds += row.seconds;
  }
  rows.push_back(operator_cells(report, profile, other));
  const std::string over = profile.n > 1 ? fmt::format("; the mean of {}", profile.n) : "";
  return fmt::format("\n{} by operator, in a run of its own{}\n\n", profile.stage, over) + table(rows);
}

std::string summary_lines(const BenchReport& report) {
  std::string text = fmt::format("\n{:.2f} pictures a minute, peak memory {}", report.pictures_per_minute,
                                 memory_text(report.peak_memory_bytes));
  if (report.joules_per_picture)
    text += fmt::format(", {:.1f} J a picture (all processor packages, whoever used them)",
                        *report.joules_per_picture);
  text += "\n";
  if (report.peak_gflops)
    text += fmt::format("the machine's peak: {:.1f} GFLOP/s (large matrix products and convolutions in {})\n",
                        *report.peak_gflops, report.model.dtype);
  return text;
}

std::string comparison_lines(const Comparison& comparison) {
  std::string text = "new/old: against " + comparison.file;
  for (const auto& [key, name] :
       {std::pair("pictures_per_minute", "pictures a minute"), std::pair("peak_memory_bytes", "peak memory"),
        std::pair("joules_per_picture", "joules a picture")})
    if (const auto ratio = comparison.ratio(key)) text += fmt::format(", {} {:.3f}", name, *ratio);
  return text + "\n";
}

double median_of(const BenchReport& report, const std::string& stage) {
  for (const auto& [name, summary] : report.stages)
    if (name == stage) return summary.median;
  return 0.0;
}

Cells sweep_cells(const BenchReport& report) {
  Cells cells;
  for (const auto& [name, value] : report.swept) cells.push_back(value);
  for (const char* stage : {"denoise_step", "decode", "total"})
    cells.push_back(fmt::format("{:.4f}", median_of(report, stage)));
  cells.push_back(fmt::format("{:.2f}", report.pictures_per_minute));
  cells.push_back(memory_text(report.peak_memory_bytes));
  for (const char* stage : {"denoise_step", "decode"}) {
    const StageProfile* const work = find_work(report, stage);
    cells.push_back(work ? percent(part_of_peak(report, work->gflop, median_of(report, stage))) : "");
  }
  cells.push_back(report.joules_per_picture ? fmt::format("{:.1f}", *report.joules_per_picture) : "");
  cells.push_back(report.comparison ? ratio_text(report.comparison->ratio("total")) : "");
  return cells;
}

// Takes out the columns behind the first `kept` in which no row says anything.
void drop_empty_columns(std::vector<Cells>& rows, std::size_t kept) {
  for (std::size_t i = rows.front().size(); i-- > kept;) {
    const auto at = static_cast<std::ptrdiff_t>(i);
    if (std::all_of(rows.begin() + 1, rows.end(), [&](const Cells& row) { return row[i].empty(); }))
      for (Cells& row : rows) row.erase(row.begin() + at);
  }
}

std::string setting_text(const BenchReport& report) {
  const bool int8 = report.model.quantize == "int8";
  return fmt::format("{}, {}x{} pixels, {} steps of {}, batch {}, on {} in {}{}, {} thread{}\n",
                     printable(report.model.name, 100), report.width, report.height, report.steps,
                     report.sampler, report.batch_size, report.model.device, report.model.dtype,
                     int8 ? " and int8" : "", report.model.threads, report.model.threads == 1 ? "" : "s");
}

}  // namespace

std::string bench_text(const BenchReport& report) {
  std::string text = setting_text(report) + "\n" + stage_table(report) + summary_lines(report);
  if (report.comparison) text += comparison_lines(*report.comparison);
  for (const StageProfile& profile : report.profiles) text += operator_table(report, profile);
  return text;
}

std::string sweep_text(const std::vector<BenchReport>& reports) {
  Cells head;
  for (const auto& [name, value] : reports.front().swept) head.push_back(name);
  const std::size_t swept = head.size();
  head.insert(head.end(), {"step s", "decode s", "total s", "pictures/min", "peak memory", "step of peak",
                           "decode of peak", "J/picture", "total new/old"});
  std::vector<Cells> rows = {head};
  for (const BenchReport& report : reports) rows.push_back(sweep_cells(report));
  drop_empty_columns(rows, swept);
  return "the first combination: " + setting_text(reports.front()) + "\n" + table(rows, swept);
}

}  // namespace sdgen::cli
