#include "weights/adapters/name_pattern.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "plain/errors.h"
#include "sdgen/printable.h"

namespace sdgen {
namespace {

constexpr std::size_t kLongestPattern = 10'000, kMaxInstructions = 5'000;
constexpr int kMaxNesting = 50, kMaxRepeats = 1000;

bool is_word(char byte) {
  return std::isalnum(static_cast<unsigned char>(byte)) || byte == '_';
}

}  // namespace

class PatternParser {
 public:
  using Instruction = NamePattern::Instruction;
  using Op = Instruction::Op;
  using Program = NamePattern::Program;

  PatternParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Program parse() {
    if (text_.size() > kLongestPattern)
      fail(concat("has ", text_.size(), " bytes (limit ", kLongestPattern, ")"));
    Program program = alternatives(0);
    if (at_ < text_.size()) fail("closes a group that is not open");
    program.push_back({Op::kEnd});
    program.push_back({Op::kMatch});
    return program;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    fail_input(where_, ": '", printable(text_, 100), "' ", why, "; expected a regular expression of Python");
  }

  bool is_over() const { return at_ >= text_.size(); }
  bool take(std::string_view text) {
    if (!text_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  char next(const char* lacking) {
    if (is_over()) fail(lacking);
    return text_[at_++];
  }

  void append(Program& program, const Program& more) const {
    if (program.size() + more.size() > kMaxInstructions) fail("is too large");
    program.insert(program.end(), more.begin(), more.end());
  }

  static Instruction jump(Op op, std::size_t distance) { return {op, static_cast<std::int64_t>(distance)}; }

  Program alternatives(int nesting) {
    if (nesting > kMaxNesting) fail("is nested too deeply");
    Program program = sequence(nesting);
    while (take("|")) {
      const Program other = sequence(nesting);
      Program both = {jump(Op::kSplit, program.size() + 2)};
      append(both, program);
      both.push_back(jump(Op::kJump, other.size() + 1));
      append(both, other);
      program = std::move(both);
    }
    return program;
  }

  Program sequence(int nesting) {
    Program program;
    while (!is_over() && text_[at_] != '|' && text_[at_] != ')') append(program, repeated(atom(nesting)));
    return program;
  }

  // An atom with what says how often.
  struct Atom {
    Program program;
    bool is_repeatable = true;
  };

  Program repeated(Atom atom) {
    int least = 1, most = 1;
    if (!take_count(least, most)) return std::move(atom.program);
    if (!atom.is_repeatable) fail("repeats what cannot be repeated");
    take("?");  // lazy: of no matter where only the whole counts
    int ignored = 0;
    if (take("+")) fail("has a possessive repetition, which is not known here");
    if (take_count(ignored, ignored)) fail("repeats a repetition");
    Program program;
    for (int i = 0; i < least; ++i) append(program, atom.program);
    Program more = {jump(Op::kSplit, atom.program.size() + (most < 0 ? 2 : 1))};
    append(more, atom.program);
    if (most < 0) more.push_back({Op::kJump, -static_cast<std::int64_t>(atom.program.size()) - 1});
    for (int i = least; most < 0 ? i == least : i < most; ++i) append(program, more);
    return program;
  }

  // `most` is -1 for any number.
  bool take_count(int& least, int& most) {
    if (take("*")) return least = 0, most = -1, true;
    if (take("+")) return least = 1, most = -1, true;
    if (take("?")) return least = 0, most = 1, true;
    const std::size_t before = at_;
    if (!take("{")) return false;
    const int first = number();
    const bool has_comma = take(",");
    const int second = has_comma ? number() : first;
    if (!take("}") || (first < 0 && !has_comma)) return at_ = before, false;  // a brace by itself
    least = std::max(0, first);
    most = second;
    if (least > kMaxRepeats || most > kMaxRepeats) fail("repeats too often");
    if (most >= 0 && most < least) fail("repeats at least more than at most");
    return true;
  }

  // -1: there is none.
  int number() {
    int value = -1;
    while (!is_over() && std::isdigit(static_cast<unsigned char>(text_[at_])))
      value = std::min(kMaxRepeats + 1, std::max(0, value) * 10 + (text_[at_++] - '0'));
    return value;
  }

  Atom atom(int nesting) {
    const char byte = next("ends too soon");
    Instruction set{Op::kSet};
    switch (byte) {
      case '(':
        return group(nesting);
      case '[':
        set.set = bracket();
        return {{set}};
      case '.':
        set.set.set().reset('\n');
        return {{set}};
      case '^':
        return {{{Op::kBegin}}, false};
      case '$':
        return {{{Op::kEnd}}, false};
      case '*':
      case '+':
      case '?':
        fail("repeats nothing");
      case '\\':
        return escape();
      default:
        set.set.set(static_cast<unsigned char>(byte));
        return {{set}};
    }
  }

  Atom group(int nesting) {
    Op look = Op::kMatch;  // none
    if (take("?P<")) {
      while (next("has a group whose name does not end") != '>') continue;
    } else if (take("?=")) {
      look = Op::kAhead;
    } else if (take("?!")) {
      look = Op::kNotAhead;
    } else if (take("?#")) {
      while (next("has a comment that does not end") != ')') continue;
      return {};
    } else if (!take("?:") && take("?")) {
      fail("has a group of a kind that is not known here, '(?'");
    }
    Program inner = alternatives(nesting + 1);
    if (!take(")")) fail("has a group that is not closed");
    if (look == Op::kMatch) return {std::move(inner)};
    Program program = {jump(look, inner.size() + 2)};
    append(program, inner);
    program.push_back({Op::kMatch});
    return {std::move(program)};
  }

  static std::bitset<256> class_of(char letter) {
    std::bitset<256> set;
    for (std::size_t byte = 0; byte < 128; ++byte) {
      const int kind = static_cast<int>(byte);
      const bool is_in = std::tolower(letter) == 'd'   ? std::isdigit(kind) != 0
                         : std::tolower(letter) == 'w' ? is_word(static_cast<char>(kind))
                                                       : std::isspace(kind) != 0;
      set.set(byte, is_in);
    }
    return std::isupper(static_cast<unsigned char>(letter)) ? ~set : set;
  }

  static bool is_class(char letter) {
    return std::string_view("dDwWsS").find(letter) != std::string_view::npos;
  }

  // What a letter behind a backslash stands for.
  unsigned char escaped(char letter) {
    constexpr std::string_view kLetters = "ntrfva", kBytes = "\n\t\r\f\v\a";
    if (const auto known = kLetters.find(letter); known != std::string_view::npos)
      return static_cast<unsigned char>(kBytes[known]);
    if (letter == 'x') {
      const std::string digits = {next("ends too soon"), next("ends too soon")};
      if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        fail("has a bad escape \\x");
      return static_cast<unsigned char>(std::stoi(digits, nullptr, 16));
    }
    if (std::isdigit(static_cast<unsigned char>(letter)))
      fail("has a back reference, which is not known here");
    if (std::isalpha(static_cast<unsigned char>(letter))) fail(concat("has a bad escape \\", letter));
    return static_cast<unsigned char>(letter);
  }

  Atom escape() {
    const char letter = next("ends with a backslash");
    Instruction set{Op::kSet};
    if (letter == 'A') return {{{Op::kBegin}}, false};
    if (letter == 'Z') return {{{Op::kEnd}}, false};
    if (letter == 'b') return {{{Op::kBoundary}}, false};
    if (letter == 'B') return {{{Op::kNoBoundary}}, false};
    if (is_class(letter))
      set.set = class_of(letter);
    else
      set.set.set(escaped(letter));
    return {{set}};
  }

  // One byte of a bracket, or a class, which is added to `set` and begins no range.
  int bracket_item(std::bitset<256>& set) {
    const char byte = next("has a set that is not closed");
    if (byte != '\\') return static_cast<unsigned char>(byte);
    const char letter = next("ends with a backslash");
    if (is_class(letter)) return set |= class_of(letter), -1;
    return letter == 'b' ? '\b' : escaped(letter);
  }

  std::bitset<256> bracket() {
    std::bitset<256> set;
    const bool is_opposite = take("^");
    for (bool is_first = true; is_first || !take("]"); is_first = false) {
      const int first = bracket_item(set);
      const bool is_range = text_.substr(at_).starts_with('-') && !text_.substr(at_).starts_with("-]");
      if (first < 0 && !is_range) continue;
      if (!is_range) {
        set.set(static_cast<std::size_t>(first));
        continue;
      }
      take("-");
      const int last = bracket_item(set);
      if (first < 0 || last < first) fail("has a bad range of characters");
      for (int byte = first; byte <= last; ++byte) set.set(static_cast<std::size_t>(byte));
    }
    return is_opposite ? ~set : set;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

NamePattern::NamePattern(std::string_view pattern, const std::string& where)
    : program_(PatternParser(pattern, where).parse()) {}

bool NamePattern::holds(const Instruction& instruction, std::string_view name, std::size_t at) const {
  using Op = Instruction::Op;
  const bool is_boundary = (at > 0 && is_word(name[at - 1])) != (at < name.size() && is_word(name[at]));
  switch (instruction.op) {
    case Op::kBegin:
      return at == 0;
    case Op::kEnd:
      return at == name.size();
    case Op::kBoundary:
      return is_boundary;
    default:
      return !is_boundary;
  }
}

// Each instruction is done once at each place: what was tried there before failed.
bool NamePattern::run(std::size_t from, const std::vector<std::size_t>& starts, std::string_view name,
                      std::uint64_t& steps) const {
  using Op = Instruction::Op;
  const std::size_t places = name.size() + 1;
  steps += program_.size() * places / 64;
  if (steps > kMaxPatternSteps) return false;
  std::vector<bool> done(program_.size() * places);
  std::vector<std::pair<std::size_t, std::size_t>> left;  // instruction, place
  for (const std::size_t start : starts) left.emplace_back(from, start);
  while (!left.empty() && steps <= kMaxPatternSteps) {
    const auto [index, at] = left.back();
    left.pop_back();
    if (done[index * places + at]) continue;
    done[index * places + at] = true;
    ++steps;
    const Instruction& instruction = program_[index];
    const auto other = static_cast<std::size_t>(static_cast<std::int64_t>(index) + instruction.to);
    switch (instruction.op) {
      case Op::kMatch:
        return true;
      case Op::kSet:
        if (at < name.size() && instruction.set[static_cast<unsigned char>(name[at])])
          left.emplace_back(index + 1, at + 1);
        break;
      case Op::kSplit:
        left.emplace_back(other, at);
        left.emplace_back(index + 1, at);
        break;
      case Op::kJump:
        left.emplace_back(other, at);
        break;
      case Op::kAhead:
      case Op::kNotAhead:
        if (run(index + 1, {at}, name, steps) == (instruction.op == Op::kAhead)) left.emplace_back(other, at);
        break;
      default:
        if (holds(instruction, name, at)) left.emplace_back(index + 1, at);
    }
  }
  return false;
}

bool NamePattern::matches_end_of(std::string_view name, std::uint64_t& steps) const {
  std::vector<std::size_t> starts = {0};
  for (std::size_t i = 0; i < name.size(); ++i)
    if (name[i] == '.') starts.push_back(i + 1);
  return run(0, starts, name, steps);
}

}  // namespace sdgen
