// Prompt files: one request a line, as text with flags at the end or as JSON objects.
//
//   # a comment
//   a cat -- asleep, it's late --seed 7 --negative-prompt "blurry, dark"
//   --prompt "a box labelled --seed" --steps 20
//
// A line's flags begin at the first "--" that follows a space and is followed by a letter; the words before
// it are the prompt, taken as they are, but for quotes around all of them. Values are quoted as in a shell. A
// line may also begin with -p VALUE.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/options/request_fields.h"
#include "sdgen/error.h"

namespace sdgen::cli {

// One request of the file.
struct PromptLine {
  Job job;
  std::size_t line = 0;  // from 1; 0 if it is the command line's own
  std::vector<std::pair<const RequestField*, std::size_t>>
      columns;  // where each of the line's own fields stands
};

// Line and column count from 1; columns are characters.
struct LineError {
  std::size_t line = 0;
  std::size_t column = 0;
  std::string message;
};

struct PromptFile {
  std::string name;  // as errors name it
  std::vector<PromptLine> lines;
  std::vector<LineError> errors;  // at most one a line
};

// Wrong lines: the first ten as "FILE:LINE:COLUMN: MESSAGE", then how many more there are.
class PromptFileError : public Error {
 public:
  PromptFileError(const std::string& file, std::vector<LineError> errors);
  const std::vector<std::string>& messages() const { return messages_; }

 private:
  std::vector<std::string> messages_;
};

// Reads a whole file: JSON lines if its name ends in .jsonl, .ndjson or .json, else text; "-" is standard
// input, text. `defaults` holds the command line's own settings; a line's win. Wrong lines are returned, not
// thrown. Throws Error(kInput) if the file cannot be read, Error(kRequest) if it holds no prompt at all.
PromptFile read_prompt_file(const std::string& path, const Job& defaults);

// The same on a text in memory; `name` is only for errors.
PromptFile parse_prompt_text(const std::string& name, std::string_view text, const Job& defaults,
                             std::size_t first_line = 1);
PromptFile parse_prompt_jsonl(const std::string& name, std::string_view text, const Job& defaults);

}  // namespace sdgen::cli
