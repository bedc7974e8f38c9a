// The stack that a pickle, which is a program, works with: its bytes, its values, its memory.
#pragma once

#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "plain/errors.h"
#include "weights/formats/pickle.h"

namespace sdgen {

// Everything that it takes is there, or Error(kInput) names the file.
class PickleStack {
 public:
  using Kind = PickleValue::Kind;

  PickleStack(std::span<const std::uint8_t> bytes, const std::string& file, std::deque<PickleValue>& values)
      : bytes_(bytes), file_(file), values_(values) {
    if (bytes.size() > kMaxBytes) fail("of ", bytes.size(), " bytes (limit ", kMaxBytes, ")");
  }

 protected:
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_input(file_, ": not a sound checkpoint: a pickle ", parts...);
  }

  const std::uint8_t* take(std::uint64_t count) {
    if (count > bytes_.size() - at_) fail("that is cut short (", bytes_.size(), " bytes)");
    const std::uint8_t* const begin = bytes_.data() + at_;
    at_ += count;
    return begin;
  }

  std::uint64_t take_number(std::size_t size) {
    std::uint64_t number = 0;
    std::memcpy(&number, take(size), size);
    return number;
  }

  std::string_view take_bytes(std::uint64_t count) {
    return {reinterpret_cast<const char*>(take(count)), static_cast<std::size_t>(count)};
  }

  std::string_view take_line() {
    const auto* const begin = bytes_.data() + at_;
    const void* const end = std::memchr(begin, '\n', bytes_.size() - at_);
    if (!end) fail("that is cut short (", bytes_.size(), " bytes)");
    const std::string_view line =
        take_bytes(static_cast<std::uint64_t>(static_cast<const std::uint8_t*>(end) - begin));
    take(1);
    return line;
  }

  PickleValue& make(Kind kind) {
    if (values_.size() >= kMaxValues) fail("of more than ", kMaxValues, " values");
    PickleValue& value = values_.emplace_back();
    value.kind = kind;
    return value;
  }

  void push(PickleValue& value) { stack_.push_back(&value); }
  void push_text(std::string_view text) {
    PickleValue& value = make(Kind::kText);
    value.text = text;
    push(value);
  }
  void push_integer(std::int64_t integer, Kind kind = Kind::kInteger) {
    PickleValue& value = make(kind);
    value.integer = integer;
    push(value);
  }

  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleValue* pop() {
    if (stack_.size() <= floor()) fail("that takes more from its stack than there is, at byte ", at_);
    PickleValue* const value = stack_.back();
    stack_.pop_back();
    return value;
  }

  PickleValue* top() {
    PickleValue* const value = pop();
    stack_.push_back(value);
    return value;
  }

  std::vector<const PickleValue*> pop_to_mark() {
    if (marks_.empty()) fail("that looks for a mark that is not there, at byte ", at_);
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    count_references(items.size());
    return items;
  }

  void count_references(std::size_t count) {
    references_ += count;
    if (references_ > kMaxReferences) fail("of more than ", kMaxReferences, " references");
  }

  void memorize(std::uint64_t index) {
    memo_[index] = top();
    if (memo_.size() > kMaxValues) fail("that memorizes more than ", kMaxValues, " values");
  }

  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail("that recalls what it did not memorize, at byte ", at_);
    stack_.push_back(found->second);
    count_references(1);
  }

  std::uint64_t line_number() {
    const std::string line(take_line());
    return std::strtoull(line.c_str(), nullptr, 10);
  }

  // Two's complement of any length; what does not fit is of no use here.
  void push_long(std::uint64_t size) {
    const std::uint8_t* const bytes = take(size);
    std::uint64_t number = size > 0 && size < 8 && (bytes[size - 1] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    if (size <= 8) std::memcpy(&number, bytes, size);
    push_integer(static_cast<std::int64_t>(number));
  }

  void push_real() {
    std::uint64_t bits = __builtin_bswap64(take_number(8));
    PickleValue& value = make(Kind::kReal);
    std::memcpy(&value.real, &bits, sizeof bits);
    push(value);
  }

  // "I01" and "I00" are true and false.
  void push_line_integer() {
    const std::string line(take_line());
    push_integer(std::strtoll(line.c_str(), nullptr, 10),
                 line == "01" || line == "00" ? Kind::kBool : Kind::kInteger);
  }

  std::size_t at() const { return at_; }
  void mark() {
    if (marks_.size() >= kMaxMarks) fail("of more than ", kMaxMarks, " open marks");
    marks_.push_back(stack_.size());
  }
  void push_again(PickleValue* value) {
    stack_.push_back(value);
    count_references(1);
  }
  std::size_t memorized() const { return memo_.size(); }

 private:
  // A checkpoint has some thousand tensors of some twenty values each, ten thousand with an optimizer's
  // state. Open marks are as deep as Python's own recursion, 1000.
  static constexpr std::size_t kMaxValues = 500'000, kMaxReferences = 4'000'000, kMaxMarks = 10'000,
                               kMaxBytes = std::size_t{64} << 20;

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  const std::string& file_;
  std::deque<PickleValue>& values_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
  std::size_t references_ = 0;
};

}  // namespace sdgen
