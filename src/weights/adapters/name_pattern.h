// Python's regular expressions, as far as settings use them to choose layers by their names. Patterns come
// from files: a match takes time in proportion to the pattern times the name, whatever they are, and no
// stack.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sdgen {

// Of all matches for a file: a second or so. Models have some thousand layers, files some thousand patterns.
inline constexpr std::uint64_t kMaxPatternSteps = 200'000'000;

class NamePattern {
 public:
  // Characters, . \d \w \s and their opposites, [sets], (groups), |, * + ? {m,n} and lazy ones, ^ $ \A \Z \b
  // \B,
  // (?=...), (?!...). Throws Error(kInput) beginning with `where` for what is no pattern, is too large, or
  // needs back references, looks behind or flags.
  NamePattern(std::string_view pattern, const std::string& where);

  std::size_t instructions() const { return program_.size(); }

  // PEFT's rule: re.match(rf"(.*\.)?({pattern})$", name). What it costs is added to `steps`; where these pass
  // kMaxPatternSteps the answer is of no use.
  bool matches_end_of(std::string_view name, std::uint64_t& steps) const;

 private:
  friend class PatternParser;

  // Targets are relative to the instruction, so that parts can be repeated by copying them.
  struct Instruction {
    enum class Op { kSet, kSplit, kJump, kBegin, kEnd, kBoundary, kNoBoundary, kAhead, kNotAhead, kMatch };
    Op op = Op::kMatch;
    std::int64_t to = 0;     // kJump, kSplit: the other way; looks ahead: what follows when they are over
    std::bitset<256> set{};  // kSet: bytes
  };
  using Program = std::vector<Instruction>;

  bool run(std::size_t from, const std::vector<std::size_t>& starts, std::string_view name,
           std::uint64_t& steps) const;
  bool holds(const Instruction& instruction, std::string_view name, std::size_t at) const;

  Program program_;
};

}  // namespace sdgen
