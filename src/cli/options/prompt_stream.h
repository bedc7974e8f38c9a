// Prompts that arrive line by line on standard input while earlier ones are drawn.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace sdgen::cli {

// Whole lines.
struct ArrivedLines {
  std::string text;
  std::size_t first_line = 1;  // its number in the input
  bool is_end = false;         // nothing comes after them
};

class PromptStream {
 public:
  // `output`: where results are printed, -1: nowhere; nothing is waited for once its reader has gone.
  explicit PromptStream(int input, int output = -1) : input_(input), output_(output) {}

  // Waits for a line, then takes those that come with it: until nothing has come for `quiet_ms`, or for four
  // times as long if they do not cease. Without a
  // line where `should_stop` says so or the reader of `output` has gone. Throws Error(kInput) for what cannot
  // be read, Error(kRequest) for a line that never ends.
  ArrivedLines next(int quiet_ms, const std::function<bool()>& should_stop);

  bool has_reader() const { return has_reader_; }

 private:
  // Whether something could be read within that time.
  bool wait(int milliseconds);
  void read_some();

  int input_, output_;
  std::string pending_;  // what has come of lines that are not told yet
  std::size_t lines_told_ = 0;
  bool is_end_ = false;
  bool has_reader_ = true;
};

}  // namespace sdgen::cli
