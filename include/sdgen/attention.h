// Which word painted what: the cross-attention of a run, softmax(Q K^T / sqrt(d)) between the patches of the
// picture (queries) and the tokens of the prompt (keys) ("High-Resolution Image Synthesis with Latent
// Diffusion Models", section 3.3).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "sdgen/image.h"
#include "sdgen/request.h"

namespace sdgen {

// A stretch of the prompt, and its rows of the token maps.
struct PromptWord {
  // kStart: the token before the words (CLIP's). kEnd: the one after them. kPadding: those up to the text
  // encoder's length. Their text is empty.
  enum class Kind { kWord, kPunctuation, kStart, kEnd, kPadding };
  Kind kind = Kind::kWord;
  std::string text;           // as it stands in the prompt
  std::size_t begin = 0;      // bytes of the prompt
  std::size_t end = 0;        // bytes of the prompt
  std::vector<int> tokens{};  // none where the text encoder's length ended before
};

// Maps of one resolution, each evaluation of the UNet apart.
struct AttentionSteps {
  int height = 0;  // patches
  int width = 0;   // patches
  int layers = 0;  // cross-attention layers of this resolution
  // [evaluations, tokens, height, width]: the mean over heads and these layers
  std::vector<float> maps{};
};

// Of one picture.
struct AttentionMaps {
  int tokens = 0;  // of the text encoder's input, 77 for CLIP
  int height = 0;  // latents
  int width = 0;   // latents
  // [tokens, height, width]: what part of its attention a patch gives to a token, the mean over heads, layers
  // and evaluations, each layer resized bilinearly (half-pixel centres). At each place it sums to one over
  // the tokens.
  std::vector<float> token_maps{};
  // In the order of the prompt, then start, end and padding, each where there is one.
  std::vector<PromptWord> words{};
  int evaluations = 0;                  // of the UNet
  std::vector<AttentionSteps> steps{};  // the finest first; only with RunOptions::attention_steps

  // The word's tokens added up: [height, width]. `word` indexes `words`.
  std::vector<float> word_map(std::size_t word) const;
};

// Writes what `maps` of `picture` say into `folder`, which it makes if need be:
// - attention.safetensors: token_maps; with steps also maps_HxW [evaluations, tokens, H, W] by resolution
// - words.json: the words; text, kind, bytes, tokens, share (the mean of their map), highest, file
// - 00-WORD.png and so on: each word's map over the picture, on its own scale
// - panel.png: the picture, and all words below it
// - film.png, steps.png: with steps; a row a word and a column a step, and the same as an animated PNG over
//   the picture so far, where there are `previews`
//
// `overwrite` also removes what an earlier call left. Throws Error(kWorking) naming the file that cannot be
// written; kRequest for one that exists, unless `overwrite`.
void write_attention(const std::filesystem::path& folder, const Request& request, const Image& picture,
                     const AttentionMaps& maps, const std::vector<Image>& previews, bool overwrite);

}  // namespace sdgen
