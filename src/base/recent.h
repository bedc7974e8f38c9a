// A few values kept in memory by what they were made from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <utility>

namespace sdgen {

// The values asked for last, no more than `most` of them.
template <typename Key, typename Value>
class Recent {
 public:
  explicit Recent(std::size_t most) : most_(most) {}

  // The key's value, made by make() where it is not kept; stays in place until `most` others were asked for.
  template <typename Make>
  const Value& get(const Key& key, const Make& make) {
    const auto known =
        std::find_if(kept_.begin(), kept_.end(), [&](const auto& entry) { return entry.first == key; });
    if (known != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, known);
    } else {
      kept_.emplace_front(key, make());
      if (kept_.size() > most_) kept_.pop_back();
    }
    return kept_.front().second;
  }

  void clear() { kept_.clear(); }

 private:
  std::size_t most_;
  std::list<std::pair<Key, Value>> kept_;  // the newest first
};

}  // namespace sdgen
