#include "cli/options/prompt_file.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "cli/options/input_text.h"
#include "cli/options/output_names.h"
#include "cli/options/prompt_line.h"
#include "plain/utf8.h"

namespace sdgen::cli {
namespace {

constexpr std::size_t kMaxMessages = 10;
constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxLines = 100'000;  // that are no comments: each is a request of a kilobyte
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

void require_plain_text(std::string_view text, std::size_t number) {
  if (const auto offset = invalid_utf8(text))
    throw LineError{number, column_of(text, *offset), "not UTF-8; save the file in that encoding"};
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
  if (control != text.end())
    throw LineError{number, column_of(text, static_cast<std::size_t>(control - text.begin())),
                    "control character; is this a text file?"};
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\f\v") == std::string_view::npos;
}

using LineParser = void (*)(std::string_view, PromptLine&);

PromptFile parse_lines(const std::string& name, std::string_view text, const Job& defaults, bool has_comments,
                       LineParser parse, std::size_t first_line = 1) {
  PromptFile file{name, {}, {}};
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (std::size_t number = first_line; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line_text = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line_text.ends_with('\r')) line_text.remove_suffix(1);
    if (is_blank(line_text)) continue;
    if (has_comments && line_text[line_text.find_first_not_of(" \t")] == '#') continue;
    if (file.lines.size() + file.errors.size() == kMaxLines)
      throw Error(ErrorKind::kRequest, name + ":" + std::to_string(number) + ": more than " +
                                           std::to_string(kMaxLines) +
                                           " prompts (the limit); split the file");
    PromptLine line{defaults, number, {}};
    try {
      require_plain_text(line_text, number);
      parse(line_text, line);
      file.lines.push_back(std::move(line));
    } catch (const LineError& error) {
      file.errors.push_back(error);
    }
  }
  return file;
}

}  // namespace

PromptFileError::PromptFileError(const std::string& file, std::vector<LineError> errors)
    : Error(ErrorKind::kRequest, file + ": " + std::to_string(errors.size()) + " wrong lines") {
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  for (std::size_t i = 0; i < std::min(errors.size(), kMaxMessages); ++i)
    messages_.push_back(file + ":" + std::to_string(errors[i].line) + ":" + std::to_string(errors[i].column) +
                        ": " + errors[i].message);
  if (errors.size() > kMaxMessages)
    messages_.push_back(file + ": " + std::to_string(errors.size() - kMaxMessages) + " more wrong lines");
}

PromptFile read_prompt_file(const std::string& path, const Job& defaults) {
  const bool is_stdin = path == "-";
  const std::string name = is_stdin ? "standard input" : path;
  const std::string text = read_text(path, is_stdin ? name : "prompt file " + path, kMaxFileBytes);
  std::string ending = std::filesystem::path(path).extension();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const bool is_json = ending == ".jsonl" || ending == ".ndjson" || ending == ".json";
  PromptFile file =
      is_json ? parse_prompt_jsonl(name, text, defaults) : parse_prompt_text(name, text, defaults);
  if (file.lines.empty() && file.errors.empty()) throw Error(ErrorKind::kRequest, name + " holds no prompt");
  return file;
}

PromptFile parse_prompt_text(const std::string& name, std::string_view text, const Job& defaults,
                             std::size_t first_line) {
  return parse_lines(name, text, defaults, true, parse_text_line, first_line);
}

PromptFile parse_prompt_jsonl(const std::string& name, std::string_view text, const Job& defaults) {
  return parse_lines(name, text, defaults, false, parse_json_line);
}

void set_line_field(PromptLine& line, std::size_t column, const RequestField& field, const std::string& shown,
                    const std::function<void()>& set) {
  for (const auto& [seen, where] : line.columns)
    if (seen == &field)
      throw LineError{line.line, column, shown + " is given twice, first at column " + std::to_string(where)};
  line.columns.emplace_back(&field, column);
  try {
    set();
    if (field.name == "output") {
      line.job.own_output = true;
      check_output(line.job.output);
    }
  } catch (const Error& error) {
    throw LineError{line.line, column, error.what()};
  }
}

}  // namespace sdgen::cli
