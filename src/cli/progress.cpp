#include "cli/progress.h"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace sdgen::cli {
namespace {

constexpr double kSmoothing = 0.3;  // weight of the newest step
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
  const std::string speed =
      rate >= 1.0 ? fmt::format("{:.2f} it/s", rate) : fmt::format("{:.2f} s/it", progress.step_seconds);
  const std::string head = fmt::format("{:3}%", percent);
  std::string tail;
  for (const std::string& part :
       {" step " + std::to_string(progress.step) + "/" + std::to_string(progress.steps),
        ", " + clock_text(progress.seconds_left) + " left", ", " + speed})
    if (head.size() + tail.size() + part.size() <= room) tail += part;
  const std::size_t used = head.size() + tail.size() + 3;  // a space and the brackets
  if (used + 5 > room) return (head + tail).substr(0, room);
  const std::size_t width = std::min<std::size_t>(room - used, 40);
  const std::size_t filled = progress.total == 0 ? 0 : width * done / progress.total;
  return head + " [" + std::string(filled, '#') + std::string(width - filled, '.') + "]" + tail;
}

void ProgressBar::update(const StepProgress& step) {
  if (!shown_) return;
  const auto now = Clock::now();
  if (!progress_) {
    begin_ =
        now - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(step.step_seconds));
    progress_.emplace().step_seconds = step.step_seconds;
  }
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  const double smoothed = kSmoothing * step.step_seconds + (1.0 - kSmoothing) * progress_->step_seconds;
  const double per_step = step.done == 0 ? 0.0 : elapsed / static_cast<double>(step.done);
  progress_ = RunProgress{
      step.step,  step.steps, step.done,
      step.total, smoothed,   per_step * static_cast<double>(step.total - std::min(step.done, step.total))};
  if (is_drawn_ && now - last_drawing_ < kDrawingInterval && step.done < step.total) return;
  redraw();
}

void ProgressBar::erase() {
  if (is_drawn_) put(kEraseLine);
  is_drawn_ = false;
}

void ProgressBar::redraw() {
  if (!shown_ || !progress_) return;
  put(kEraseLine + bar_text(*progress_, terminal_columns()));
  is_drawn_ = true;
  last_drawing_ = Clock::now();
}

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) && kind && std::string_view(kind) != "dumb";
}

}  // namespace sdgen::cli
