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
  double seconds_left = 0.0;  // of the whole run; below 0: not known yet
};

// The bar's text in at most `columns` - 1 characters (a full line would wrap); parts go as the terminal gets
// narrower.
std::string bar_text(const RunProgress& progress, std::size_t columns);

// What is going on before the first step and after the last: "loading unet: 312 MiB of 1.6 GiB (19%)".
std::string work_text(const WorkProgress& work);

// The part of the step in work that is done, 0 to 1; its layers do not all take equally long.
double step_part(const WorkProgress& work);

// "512 MiB", "1.5 GiB"
std::string memory_text(std::uint64_t bytes);

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
  void update(const WorkProgress& work);  // likewise
  void tell(const std::string& text);     // instead of a bar, until the next update
  void clear();                           // forgets the bar: what comes next is another run
  void erase();                           // before other text is written to the terminal
  void redraw();                          // after it

 private:
  using Clock = std::chrono::steady_clock;

  std::string text() const;  // what the line is to hold
  void draw(bool at_once);

  bool shown_;
  bool is_drawn_ = false;
  std::string told_;  // instead of the bar; empty: the bar
  std::optional<RunProgress> progress_;
  std::optional<Clock::time_point> begin_;  // of the first step: loading is no part of the estimate
  Clock::time_point last_drawing_;
};

// Whether standard error is a terminal that can move its cursor.
bool is_terminal();

}  // namespace sdgen::cli
