#include "text/prompt_marks.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "plain/errors.h"
#include "plain/unicode.h"
#include "sdgen/printable.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

using Kind = PromptMark::Kind;

constexpr std::size_t kLongestShown = 60, kLongestName = 100;  // bytes

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// "1.3", "-1", ".5"
bool reads_as_number(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return std::any_of(text.begin(), text.end(), is_digit) && std::count(text.begin(), text.end(), '.') <= 1 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
}

// "tulip:1.3" in two; no number where there is none, and for "10:30" and "16:9", which are none.
struct Weighted {
  std::string_view words, number;
};
Weighted weighted(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return {text, {}};
  const std::string_view words = trimmed(text.substr(0, colon)), number = trimmed(text.substr(colon + 1));
  if (words.empty() || !reads_as_number(number)) return {text, {}};
  const bool is_time = is_digit(words.back()) && number.find('.') == number.npos;
  return is_time ? Weighted{text, {}} : Weighted{words, number};
}

std::string attend(std::string_view words, std::string_view number) {
  return concat("--attend \"", words, ":", number, "\"");
}

// Finds the marks that stand in brackets, from left to right.
class Finder {
 public:
  explicit Finder(const std::string& prompt) : prompt_(prompt) {}

  std::vector<PromptMark> find() {
    for (std::size_t at = 0; at < prompt_.size(); ++at) {
      const char c = prompt_[at];
      if (c == '\\') ++at;
      if (c == '(') look_at(at, "()", &Finder::round);
      if (c == '[') look_at(at, "[]", &Finder::square);
      if (c == '<') look_at(at, "<>", &Finder::pointed);
      if (c == '{') look_at(at, "{}", &Finder::curly);
      if (prompt_.substr(at, 2) == "__") at = wildcard(at);
    }
    return std::move(marks_);
  }

 private:
  // What stands in the innermost pair of brackets that opens at `begin`.
  void look_at(std::size_t begin, const char* brackets, void (Finder::*look)(std::size_t, std::string_view)) {
    const std::size_t end = prompt_.find_first_of(brackets, begin + 1);
    if (end == prompt_.npos || prompt_[end] != brackets[1] || prompt_[end - 1] == '\\') return;
    const std::string_view inside = trimmed(prompt_.substr(begin + 1, end - begin - 1));
    if (!inside.empty()) (this->*look)(begin, inside);
  }

  void round(std::size_t begin, std::string_view inside) {
    const std::size_t end = prompt_.find(')', begin);
    const bool is_doubled = begin > 0 && prompt_[begin - 1] == '(' && prompt_.substr(end + 1, 1) == ")";
    if (const Weighted parts = weighted(inside); !parts.number.empty())
      add(Kind::kWeight, begin, end, attend(parts.words, parts.number));
    else if (is_doubled)
      add(Kind::kStronger, begin - 1, end + 1, attend(inside, "1.2"));
  }

  void square(std::size_t begin, std::string_view inside) {
    const std::size_t end = prompt_.find(']', begin);
    const std::size_t colon = inside.rfind(':');
    const bool has_step = colon != inside.npos && reads_as_number(trimmed(inside.substr(colon + 1)));
    const bool has_words = std::any_of(inside.begin(), inside.end(), [](unsigned char byte) {
      return std::isalpha(byte) || byte >= 0x80;  // "[1]" is a note
    });
    if (!has_words) return;
    if (has_step || inside.find('|') != inside.npos)
      add(Kind::kOverSteps, begin, end, "");
    else
      add(Kind::kWeaker, begin, end, attend(inside, "0.9"));
  }

  void pointed(std::size_t begin, std::string_view inside) {
    const std::string_view kind = inside.substr(0, inside.find(':'));
    if (kind.size() == inside.size() || (kind != "lora" && kind != "lyco" && kind != "hypernet")) return;
    const std::string_view rest = inside.substr(kind.size() + 1), name = rest.substr(0, rest.find(':'));
    std::string_view scale = rest.substr(std::min(rest.size(), name.size() + 1));
    scale = scale.substr(0, scale.find(':'));
    const std::string flag = concat("--lora ", name, reads_as_number(scale) ? concat(":", scale) : "");
    add(Kind::kNetwork, begin, prompt_.find('>', begin), kind == "hypernet" ? "" : flag);
  }

  void curly(std::size_t begin, std::string_view inside) {
    if (inside.find('|') == inside.npos) return;
    add(Kind::kChoice, begin, prompt_.find('}', begin), "--prompt-file with a line for each");
  }

  // "__animal__"; returns where to go on.
  std::size_t wildcard(std::size_t begin) {
    std::size_t end = begin + 2;
    const auto is_name = [](unsigned char c) {
      return std::isalnum(c) || c == '-' || c == '/' || c == '*' || c == '_';
    };
    while (end < prompt_.size() && end - begin < kLongestName &&
           is_name(static_cast<unsigned char>(prompt_[end])) && prompt_.substr(end, 2) != "__")
      ++end;
    if (end == begin + 2 || prompt_.substr(end, 2) != "__") return begin + 1;
    add(Kind::kWildcard, begin, end + 1, "--prompt-file with a line for each");
    return end + 1;
  }

  void add(Kind kind, std::size_t begin, std::size_t end, std::string instead) {
    marks_.push_back({kind, std::string(prompt_.substr(begin, end + 1 - begin)), std::move(instead)});
  }

  std::string_view prompt_;
  std::vector<PromptMark> marks_;
};

// Two capitals or more, and nothing else.
bool is_in_capitals(const std::string& word) {
  const Text text = decode_utf8(word);
  std::size_t capitals = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_capital = to_lower(text.slice(i, i + 1)).chars != text.slice(i, i + 1).chars;
    if (is_letter(text.chars[i]) && !is_capital) return false;
    capitals += is_capital;
  }
  return capitals >= 2;
}

// BREAK and AND among other words; in a line of capitals they are words.
void add_keywords(const std::string& prompt, std::vector<PromptMark>& marks) {
  std::vector<std::string> words;
  if (prompt.find("BREAK") == prompt.npos && prompt.find("AND") == prompt.npos) return;
  for (const PromptWord& word : prompt_words(prompt))
    if (word.kind == PromptWord::Kind::kWord) words.push_back(word.text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool is_break = words[i] == "BREAK";
    if (words.size() < 2 || (!is_break && words[i] != "AND")) continue;
    const bool among_capitals =
        (i > 0 && words[i - 1] != words[i] && is_in_capitals(words[i - 1])) ||
        (i + 1 < words.size() && words[i + 1] != words[i] && is_in_capitals(words[i + 1]));
    if (!among_capitals) marks.push_back({is_break ? Kind::kBreak : Kind::kAnd, words[i], ""});
  }
}

// The first of each kind, after those of `kept`.
void keep_first(const std::vector<PromptMark>& marks, std::vector<PromptMark>& kept) {
  for (const PromptMark& mark : marks)
    if (std::none_of(kept.begin(), kept.end(),
                     [&](const PromptMark& each) { return each.kind == mark.kind; }))
      kept.push_back(mark);
}

}  // namespace

std::vector<PromptMark> prompt_marks(const std::string& prompt) {
  std::vector<PromptMark> marks = Finder(prompt).find(), first;
  add_keywords(prompt, marks);
  keep_first(marks, first);
  return first;
}

std::string marks_warning(const std::vector<std::string>& prompts) {
  std::vector<PromptMark> marks;
  for (const std::string& prompt : prompts) keep_first(prompt_marks(prompt), marks);
  std::vector<std::string> shown, instead;
  for (const PromptMark& mark : marks) {
    shown.push_back(printable(mark.text, kLongestShown));
    const std::string flag = printable(mark.instead, kLongestShown);
    if (!flag.empty() && std::find(instead.begin(), instead.end(), flag) == instead.end())
      instead.push_back(flag);
  }
  if (marks.empty()) return "";
  return concat("other programs' marks are taken as words: ", join(shown),
                instead.empty() ? "" : "; instead: " + join(instead));
}

}  // namespace sdgen
