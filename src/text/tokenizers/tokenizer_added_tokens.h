// Tokens that are found whole in the text, before any other rule: begin, end, padding and whatever a folder
// adds. Follows AddedVocabulary of Hugging Face's tokenizers.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plain/unicode.h"

namespace sdgen {

struct AddedToken {
  std::string content;
  std::optional<int> id;     // where the folder gives one; the vocabulary's own id is stronger
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // ... and after it
  bool normalized = false;   // looked for in the normalised text rather than in the raw one
};

// A stretch of text: one added token, or ordinary text between them (no id).
struct Segment {
  std::optional<int> id;
  std::size_t begin, end;  // code points
};

// Finds tokens in text: leftmost first, the longest of those that start at the same place.
class AddedTokenMatcher {
 public:
  // `content` is what is compared (already normalised where the token is `normalized`); an empty content
  // matches nothing, and of equal ones the first counts.
  void add(std::u32string content, int id, const AddedToken& rules);

  // Covers all of `text`, in order.
  std::vector<Segment> split(std::u32string_view text) const;

 private:
  struct Entry {
    int id;
    AddedToken rules;
  };
  // The length of the longest content that starts at `at`, with what it stands for; 0 if there is none.
  std::size_t match(std::u32string_view text, std::size_t at, const Entry*& entry) const;

  std::unordered_map<std::u32string, Entry> entries_;
  std::unordered_map<char32_t, std::set<std::size_t, std::greater<>>>
      lengths_;  // of the contents by first character
};

}  // namespace sdgen
