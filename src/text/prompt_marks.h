// What other programs' prompts say beside words: weights, networks, breaks. Here they are words like any
// others.
#pragma once

#include <string>
#include <vector>

namespace sdgen {

struct PromptMark {
  enum class Kind { kWeight, kStronger, kWeaker, kOverSteps, kNetwork, kBreak, kAnd, kWildcard, kChoice };
  Kind kind;
  std::string text;     // as it stands in the prompt: "(tulip:1.3)"
  std::string instead;  // the flag that does it here: --attend "tulip:1.3"; empty where there is none
};

// The first mark of each kind, those in brackets before BREAK and AND. Ordinary text has none: "(a cat)",
// "10:30", "AND" among capitals, nor has what a backslash stands before.
std::vector<PromptMark> prompt_marks(const std::string& prompt);

// One line that says that the prompts' marks are taken as words, with an example of each kind; empty where
// there are none.
std::string marks_warning(const std::vector<std::string>& prompts);

}  // namespace sdgen
