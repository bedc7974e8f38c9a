// The progress bar of a run: one line at the bottom of the terminal, on standard error.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "sdgen/generator.h"

namespace sdgen::cli {

// What the bar tells.
struct RunProgress {
  int step = 0;  // of the batch in work
  int steps = 0;
  std::size_t done = 0;  // picture-steps of the whole run
  std::size_t total = 0;
  double step_seconds = 0.0;  // one step of the batch, smoothed
  double seconds_left = 0.0;  // of the whole run
};

// The bar's text in at most `columns` - 1 characters (a full line would wrap); parts go as the terminal gets
// narrower.
std::string bar_text(const RunProgress& progress, std::size_t columns);

// "0:07", "12:34", "1:02:03"
std::string clock_text(double seconds);

// Draws only if `shown`. Not copyable: there is one terminal.
class ProgressBar {
 public:
  explicit ProgressBar(bool shown) : shown_(shown) {}
  ~ProgressBar() { erase(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(const StepProgress& step);  // at most ten drawings a second
  void erase();                           // before other text is written to the terminal
  void redraw();                          // after it

 private:
  using Clock = std::chrono::steady_clock;

  bool shown_;
  bool is_drawn_ = false;
  std::optional<RunProgress> progress_;
  Clock::time_point begin_;  // of the first step: loading is no part of the estimate
  Clock::time_point last_drawing_;
};

// Whether standard error is a terminal that can move its cursor.
bool is_terminal();

}  // namespace sdgen::cli
