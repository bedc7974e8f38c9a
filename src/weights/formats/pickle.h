// What a Python pickle holds, read without Python: lists, dictionaries, numbers, texts. Nothing is ever
// called; where a pickle calls a class there stands an object that does nothing. Reference: the opcodes of
// Python's pickletools.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sdgen {

struct PickleValue {
  enum class Kind {
    kNone,
    kBool,        // integer
    kInteger,     // integer; one past 64 bits is 0
    kReal,        // real
    kText,        // text; also bytes
    kList,        // items; also tuples and sets
    kDict,        // items: key, value, key, value, ...; also OrderedDict, ParameterDict
    kGlobal,      // text: "module.name"
    kObject,      // text: what was called; items: its arguments
    kPersistent,  // items[0]: PyTorch's ("storage", class, key, device, numbers)
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text;
  std::vector<const PickleValue*> items;

  bool is(Kind other) const { return kind == other; }
  // The value of a key of a dictionary; nullptr if there is none.
  const PickleValue* at(std::string_view key) const;
};

// Owns its values, which point at each other and into the bytes.
class Pickle {
 public:
  // Reads `bytes`, which must outlive it. Throws Error(kInput) naming `file`: bytes that are no pickle, cut
  // short, use what checkpoints have no use for, or name a function or class that is no part of a checkpoint.
  Pickle(std::span<const std::uint8_t> bytes, const std::string& file);

  const PickleValue& root() const { return *root_; }

 private:
  std::deque<PickleValue> values_;
  std::deque<std::string> texts_;
  const PickleValue* root_ = nullptr;
};

}  // namespace sdgen
