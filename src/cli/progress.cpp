#include "cli/progress.h"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sdgen/printable.h"

namespace sdgen::cli {
namespace {

constexpr double kSmoothing = 0.3;        // weight of the newest step
constexpr double kEarliestPart = 0.05;    // of the first step, before it tells how long the run takes
constexpr double kEarliestSeconds = 1.0;  // likewise
constexpr auto kDrawingInterval = std::chrono::milliseconds(100);
const char kEraseLine[] = "\r\033[K";

std::size_t terminal_columns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(std::ceil(std::clamp(seconds, 0.0, 3.6e6)));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string bar_text(const RunProgress& progress, std::size_t columns) {
  const std::size_t room = columns > 1 ? columns - 1 : 0;
  const std::size_t done = std::min(progress.done, progress.total);
  const std::size_t percent = progress.total == 0 ? 0 : done * 100 / progress.total;
  const double rate = progress.step_seconds > 0 ? 1.0 / progress.step_seconds : 0.0;
  const std::string speed = rate >= 1.0  ? fmt::format(", {:.2f} it/s", rate)
                            : rate > 0.0 ? fmt::format(", {:.2f} s/it", progress.step_seconds)
                                         : "";
  const std::string left =
      progress.seconds_left < 0 ? "" : ", " + clock_text(progress.seconds_left) + " left";
  const std::string head = fmt::format("{:3}%", percent);
  std::string tail;
  for (const std::string& part :
       {" step " + std::to_string(progress.step) + "/" + std::to_string(progress.steps), left, speed})
    if (head.size() + tail.size() + part.size() <= room) tail += part;
  const std::size_t used = head.size() + tail.size() + 3;  // a space and the brackets
  if (used + 5 > room) return (head + tail).substr(0, room);
  const std::size_t width = std::min<std::size_t>(room - used, 40);
  const std::size_t filled = progress.total == 0 ? 0 : width * done / progress.total;
  return head + " [" + std::string(filled, '#') + std::string(width - filled, '.') + "]" + tail;
}

std::string memory_text(std::uint64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1024.0 * 1024.0);
  return mib < 1024.0 ? fmt::format("{:.0f} MiB", mib) : fmt::format("{:.1f} GiB", mib / 1024.0);
}

std::string work_text(const WorkProgress& work) {
  if (work.stage == "load") {
    const std::string text = "loading " + work.detail;
    if (work.total == 0) return text;
    const std::uint64_t done = std::min(work.done, work.total);
    return fmt::format("{}: {} of {} ({}%)", text, memory_text(done), memory_text(work.total),
                       static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(work.total)));
  }
  if (work.stage == "text_encode") return "encoding the text";
  if (work.stage == "encode_picture") return "encoding the picture to start from";
  if (work.stage == "decode") return "decoding";
  if (work.stage == "rank") return "choosing the best";
  return work.stage;
}

double step_part(const WorkProgress& work) {
  if (work.stage != "denoise_step" || work.total == 0) return 0.0;
  return std::min(0.99, static_cast<double>(work.done) / static_cast<double>(work.total));
}

void ProgressBar::tell(const std::string& text) {
  const bool is_new = text != told_;
  told_ = text;
  draw(is_new);
}

void ProgressBar::update(const WorkProgress& work) {
  if (!shown_) return;
  if (work.stage != "denoise_step") return tell(work_text(work));
  const auto now = Clock::now();
  if (!begin_) begin_ = now;
  const bool is_new = !told_.empty();
  told_.clear();
  if (!progress_) progress_.emplace();
  progress_->step = work.run.step;
  progress_->steps = work.run.steps;
  progress_->done = work.run.done;
  progress_->total = work.run.total;
  const double part = step_part(work), elapsed = std::chrono::duration<double>(now - *begin_).count();
  const double done = static_cast<double>(work.run.done) + part * static_cast<double>(work.pictures);
  const bool can_tell = work.run.done > 0 || (part >= kEarliestPart && elapsed >= kEarliestSeconds);
  progress_->seconds_left =
      can_tell ? elapsed / done * std::max(0.0, static_cast<double>(work.run.total) - done) : -1.0;
  draw(is_new);
}

void ProgressBar::update(const StepProgress& step) {
  if (!shown_) return;
  const auto now = Clock::now();
  told_.clear();
  if (!begin_)
    begin_ =
        now - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(step.step_seconds));
  if (!progress_) progress_.emplace();
  if (progress_->step_seconds == 0.0) progress_->step_seconds = step.step_seconds;
  const double elapsed = std::chrono::duration<double>(now - *begin_).count();
  const double smoothed = kSmoothing * step.step_seconds + (1.0 - kSmoothing) * progress_->step_seconds;
  const double per_step = step.done == 0 ? 0.0 : elapsed / static_cast<double>(step.done);
  progress_ = RunProgress{
      step.step,  step.steps, step.done,
      step.total, smoothed,   per_step * static_cast<double>(step.total - std::min(step.done, step.total))};
  draw(step.done >= step.total);
}

void ProgressBar::draw(bool at_once) {
  if (at_once || !is_drawn_ || Clock::now() - last_drawing_ >= kDrawingInterval) redraw();
}

std::string ProgressBar::text() const {
  const std::size_t columns = terminal_columns();
  if (told_.empty()) return bar_text(*progress_, columns);
  return printable(told_, std::max<std::size_t>(columns, 2) - 1);
}

void ProgressBar::clear() {
  erase();
  told_.clear();
  progress_.reset();
  begin_.reset();
}

void ProgressBar::erase() {
  if (is_drawn_) put(kEraseLine);
  is_drawn_ = false;
}

void ProgressBar::redraw() {
  if (!shown_ || (!progress_ && told_.empty())) return;
  put(kEraseLine + text());
  is_drawn_ = true;
  last_drawing_ = Clock::now();
}

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) && kind && std::string_view(kind) != "dumb";
}

}  // namespace sdgen::cli
