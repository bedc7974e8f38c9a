#include "text/tokenizers/sentencepiece_charsmap.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace sdgen {
namespace {

constexpr std::uint32_t kMaxUnits = 1 << 20;  // T5's map has 60,000
constexpr std::uint32_t kLabels = 256;

// A node of a double array ("An Efficient Implementation of Trie Structures"), as Darts-clone packs it.
struct Unit {
  std::uint32_t bits = 0;

  bool has_leaf() const { return (bits >> 8 & 1) != 0; }
  std::uint32_t value() const { return bits & 0x7FFFFFFF; }
  std::uint32_t label() const { return bits & 0x800000FF; }
  std::uint32_t offset() const { return bits >> 10 << ((bits & 0x200) >> 6); }
};

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

// Every child of a node is looked for at its place, so all places must be there.
bool stays_inside(const std::vector<Unit>& units, std::size_t replacement_bytes) {
  if (units.empty()) return false;
  std::vector<bool> seen(units.size());
  std::vector<std::uint32_t> open = {0};
  seen[0] = true;
  while (!open.empty()) {
    const std::uint32_t node = open.back();
    open.pop_back();
    const std::uint32_t base = node ^ units[node].offset();
    if ((base | (kLabels - 1)) >= units.size()) return false;
    if (units[node].has_leaf() && units[base].value() >= replacement_bytes) return false;
    for (std::uint32_t label = 1; label < kLabels; ++label) {
      const std::uint32_t child = base ^ label;
      if (seen[child] || units[child].label() != label) continue;
      seen[child] = true;
      open.push_back(child);
    }
  }
  return true;
}

}  // namespace

bool is_sound_charsmap(std::string_view blob) {
  if (blob.size() <= sizeof(std::uint32_t)) return true;  // the library says so itself
  const std::uint32_t trie_bytes = number_at(blob, 0);
  blob.remove_prefix(sizeof trie_bytes);
  if (trie_bytes >= blob.size() || trie_bytes % sizeof(Unit) != 0 || trie_bytes / sizeof(Unit) > kMaxUnits)
    return false;
  std::vector<Unit> units;
  for (std::size_t at = 0; at < trie_bytes; at += sizeof(Unit)) units.push_back({number_at(blob, at)});
  const std::string_view replacements = blob.substr(trie_bytes);  // each ends in NUL
  return replacements.back() == '\0' && stays_inside(units, replacements.size());
}

}  // namespace sdgen
