#include "text/tokenizers/bpe_model.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "plain/unicode.h"
#include "text/tokenizers/tokenizer_settings.h"

namespace sdgen {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

// GPT-2's printable stand-ins: a byte that prints is itself, the others follow from U+0100 on, in order.
std::array<std::string, 256> byte_alphabet() {
  std::array<std::string, 256> alphabet;
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    append_utf8(prints ? byte : next++, alphabet[byte]);
  }
  return alphabet;
}

std::uint64_t pair_key(int left, int right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

// A word while it is merged: symbols in a doubly linked list, so that a merge is constant time.
struct Symbol {
  int id;
  std::size_t begin;
  std::size_t previous, next;
  bool alive = true;
};

// A pair that could merge; the lowest rank goes first, the leftmost among equals.
struct Candidate {
  int rank;
  std::size_t left;
  int id;  // of the result, by which a candidate that has gone stale is known
  bool operator>(const Candidate& other) const {
    return std::tie(rank, left) > std::tie(other.rank, other.left);
  }
};

}  // namespace

BpeModel::BpeModel(const BpeTables& tables, std::optional<int> unknown_id) : ids_(tables.ids) {
  for (const auto& [token, id] : ids_) {
    taken_ids_.insert(id);
    next_free_id_ = std::max(next_free_id_, id + 1);
  }
  const auto alphabet = byte_alphabet();
  const auto id_of = [&](const std::string& token) {
    const auto found = id(token);
    if (!found && !unknown_id)
      fail_input(tables.vocabulary_path.string(), ": the vocabulary has no ", quoted_token(token),
                 ", one of the 256 bytes");
    return found ? *found : *unknown_id;
  };
  for (std::size_t byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = id_of(alphabet[byte]);
    last_byte_ids_[byte] = id_of(alphabet[byte] + tables.end_of_word);
  }
  add_merges(tables);
}

void BpeModel::add_merges(const BpeTables& tables) {
  merges_.reserve(tables.merges.size());
  for (std::size_t i = 0; i < tables.merges.size(); ++i) {
    const std::string &left = tables.merges[i].first, &right = tables.merges[i].second;
    const auto checked = [&](const std::string& token) {
      if (const auto found = id(token)) return *found;
      fail_input(tables.merges_path.string(), ": ", tables.merge_place(i), ": merge ",
                 quoted_token(left + " " + right), ": ", quoted_token(token), " is not in the vocabulary of ",
                 tables.vocabulary_path.filename().string());
    };
    const int left_id = checked(left), right_id = checked(right);
    // The last of equal merges counts, as in the reference's table.
    merges_[pair_key(left_id, right_id)] = {static_cast<int>(i), checked(left + right)};
  }
}

std::optional<int> BpeModel::id(const std::string& token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional<int>(found->second);
}

bool BpeModel::has_id(int id) const {
  return taken_ids_.contains(id);
}

const BpeModel::Merge* BpeModel::merge(int left, int right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BpeModel::encode(std::string_view word, std::vector<BpeSymbol>& out) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool last = i + 1 == word.size();
    const auto byte = static_cast<unsigned char>(word[i]);
    symbols.push_back(
        {last ? last_byte_ids_[byte] : byte_ids_[byte], i, i == 0 ? kNone : i - 1, last ? kNone : i + 1});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto propose = [&](std::size_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    if (const Merge* found = merge(symbols[left].id, symbols[symbols[left].next].id))
      queue.push({found->rank, left, found->id});
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) propose(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.left];
    if (!left.alive || left.next == kNone) continue;
    const Merge* still = merge(left.id, symbols[left.next].id);
    if (still == nullptr || still->id != best.id) continue;
    Symbol& right = symbols[left.next];
    right.alive = false;
    left.id = best.id;
    left.next = right.next;
    if (right.next != kNone) symbols[right.next].previous = best.left;
    propose(left.previous);
    propose(best.left);
  }
  for (std::size_t i = 0; i != kNone && i < symbols.size(); i = symbols[i].next)
    out.push_back({symbols[i].id, symbols[i].begin});
}

}  // namespace sdgen
