// The characters that a SentencePiece model replaces before it looks at a text: precompiled_charsmap.
#pragma once

#include <string_view>

namespace sdgen {

// Whether libsentencepiece, which looks at nothing, stays inside `blob` whatever text it is given: every node
// that can be reached in its trie, and every replacement.
bool is_sound_charsmap(std::string_view blob);

}  // namespace sdgen
