// A text line of a prompt file: the prompt as it is, then flags with shell-like quoting.
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "cli/options/nearest.h"
#include "cli/options/prompt_line.h"
#include "plain/utf8.h"

namespace sdgen::cli {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view kSpaces = " \t\f\v";
constexpr std::string_view kRemedy = "; words that look like a flag can be drawn as --prompt \"...\"";

bool is_space(char c) {
  return kSpaces.find(c) != npos;
}
bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  return begin == npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

bool looks_like_flag(std::string_view text, std::size_t at) {
  return text.substr(at).starts_with("--") && at + 2 < text.size() && is_letter(text[at + 2]);
}

// Where the line's flags begin; its end if it has none.
std::size_t flags_begin(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at)
    if ((at == 0 || is_space(text[at - 1])) && looks_like_flag(text, at)) return at;
  return text.size();
}

// Bytes of the run of dashes at `at`: hyphens and the longer dashes that word processors make of two.
std::size_t dashes_length(std::string_view text, std::size_t at) {
  constexpr std::array<std::string_view, 4> kDashes = {"-", "\u2013", "\u2014", "\u2212"};
  std::size_t length = 0;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view dash : kDashes)
      if (text.substr(at + length).starts_with(dash)) length += dash.size(), found = true;
  }
  return length;
}

// A known flag's whole name after one dash, a long dash, or two dashes without a space before them is a slip
// of the keyboard: it must not become a silent part of the prompt.
void refuse_near_flags(std::string_view prompt, const PromptLine& line) {
  for (std::size_t at = 0; at < prompt.size();) {
    const std::size_t dashes = dashes_length(prompt, at);
    if (dashes == 0) {
      ++at;
      continue;
    }
    const std::size_t begin = at + dashes;
    std::size_t end = begin;
    while (end < prompt.size() && is_name(prompt[end])) ++end;
    const bool is_apart = at == 0 || is_space(prompt[at - 1]);
    const bool is_whole = end == prompt.size() || is_space(prompt[end]) || prompt[end] == '=';
    const RequestField* field = find_field(prompt.substr(begin, end - begin));
    if (field && is_whole && (is_apart || prompt.substr(at, dashes) == "--"))
      throw LineError{line.line, column_of(prompt, at),
                      "'" + std::string(prompt.substr(at, end - at)) +
                          "' is not a flag; write a space and --" + std::string(field->name) +
                          std::string(kRemedy)};
    at = begin;
  }
}

struct Token {
  std::string text;    // without its quotes
  std::size_t at = 0;  // offset in the line
  bool is_flag = false;
};

// Reads one quoted stretch from the quote at `at` into `token`; leaves `at` behind the closing quote.
void read_quoted(std::string_view text, std::size_t& at, const PromptLine& line, std::string& token) {
  const std::size_t open = at;
  const char quote = text[at++];
  for (; at < text.size() && text[at] != quote; ++at) {
    const bool escapes = quote == '"' && text[at] == '\\' && at + 1 < text.size() &&
                         (text[at + 1] == '"' || text[at + 1] == '\\');
    token += text[escapes ? ++at : at];
  }
  if (at == text.size())
    throw LineError{line.line, column_of(text, open), std::string("no closing ") + quote + " for this one"};
  ++at;
}

// The next word from `at`; none at the end of the line.
std::optional<Token> next_token(std::string_view text, std::size_t& at, const PromptLine& line) {
  while (at < text.size() && is_space(text[at])) ++at;
  if (at == text.size()) return std::nullopt;
  Token token{"", at, looks_like_flag(text, at)};
  while (at < text.size() && !is_space(text[at])) {
    if (text[at] == '\'' || text[at] == '"') {
      read_quoted(text, at, line, token.text);
    } else {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      token.text += text[at++];
    }
  }
  return token;
}

const RequestField& line_field(std::string_view text, const Token& flag, const std::string& name,
                               const PromptLine& line) {
  if (const RequestField* field = find_field(name)) return *field;
  const std::string nearest = nearest_name(name, field_names());
  const std::string hint = nearest.empty()
                               ? "; a line takes " + comma_list(field_names()) + std::string(kRemedy)
                               : "; did you mean --" + nearest + "?";
  throw LineError{line.line, column_of(text, flag.at), "unknown flag --" + name + hint};
}

// Reads the value of the flag just read and sets its field.
void read_flag(std::string_view text, std::size_t& at, const Token& flag, PromptLine& line) {
  const std::size_t equals = flag.text.find('=');
  const std::string shown = flag.text.substr(0, equals);
  const RequestField& field = line_field(text, flag, shown.substr(2), line);
  std::string value;
  if (equals != std::string::npos) {
    value = flag.text.substr(equals + 1);
  } else {
    const auto token = next_token(text, at, line);
    if (!token || token->is_flag)
      throw LineError{line.line, column_of(text, flag.at), shown + " needs a value"};
    value = token->text;
  }
  set_line_field(line, column_of(text, flag.at), field, shown,
                 [&] { set_field(line.job, field, shown, value); });
}

// A prompt in quotes as a whole, as one would type it into a shell: without them.
std::string_view unquoted(std::string_view prompt) {
  if (prompt.size() < 2 || (prompt.front() != '"' && prompt.front() != '\'') ||
      prompt.back() != prompt.front())
    return prompt;
  const std::string_view inner = prompt.substr(1, prompt.size() - 2);
  return inner.find(prompt.front()) == npos ? inner : prompt;
}

// "-p WORDS": where its value begins; 0 where the line does not begin so.
std::size_t short_prompt_value(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == npos || !text.substr(begin).starts_with("-p")) return 0;
  const std::size_t end = begin + 2;
  return end < text.size() && (is_space(text[end]) || text[end] == '"' || text[end] == '\'') ? end : 0;
}

// Reads "-p VALUE" as a command line has it; where the flags behind it begin.
std::size_t read_short_prompt(std::string_view text, std::size_t at, PromptLine& line) {
  const std::size_t column = column_of(text, text.find_first_not_of(kSpaces));
  const auto value = next_token(text, at, line);
  if (!value || value->is_flag) throw LineError{line.line, column, "-p needs a value"};
  const RequestField& field = *find_field("prompt");
  set_line_field(line, column, field, "-p", [&] { set_field(line.job, field, "-p", value->text); });
  return at;
}

}  // namespace

void parse_text_line(std::string_view text, PromptLine& line) {
  const std::size_t short_prompt = short_prompt_value(text);
  std::size_t at = short_prompt > 0 ? read_short_prompt(text, short_prompt, line) : flags_begin(text);
  const std::string_view prompt = short_prompt > 0 ? "" : unquoted(trimmed(text.substr(0, at)));
  if (short_prompt == 0) refuse_near_flags(text.substr(0, at), line);
  if (!prompt.empty()) {
    line.job.prompt = prompt;
    line.columns.emplace_back(find_field("prompt"), column_of(text, text.find_first_not_of(kSpaces)));
  }
  std::string last_flag = "-p";  // else a flag comes first
  while (const auto token = next_token(text, at, line)) {
    if (!token->is_flag)
      throw LineError{line.line, column_of(text, token->at),
                      "'" + token->text + "' after the value of " + last_flag +
                          "; put quotes around a value of several words"};
    last_flag = token->text.substr(0, token->text.find('='));
    read_flag(text, at, *token, line);
  }
  const bool has_prompt = std::any_of(line.columns.begin(), line.columns.end(),
                                      [](const auto& place) { return place.first->name == "prompt"; });
  if (!has_prompt) throw LineError{line.line, 1, "no prompt before the flags"};
}

}  // namespace sdgen::cli
