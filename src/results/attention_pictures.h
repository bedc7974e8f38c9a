// Attention maps as pictures: a word over the picture, all words on a panel, steps as a film.
#pragma once

#include <string>
#include <vector>

#include "image/heat.h"
#include "sdgen/attention.h"
#include "sdgen/image.h"

namespace sdgen {

// Indexes of the words that are shown: no punctuation, nothing around the words, none that was dropped.
std::vector<std::size_t> shown_words(const AttentionMaps& maps);

// The word's map of a whole run, and its extremes.
struct WordHeat {
  HeatMap map;
  double highest = 0.0;
  double share = 0.0;  // the mean over the picture
};
WordHeat word_heat(const AttentionMaps& maps, std::size_t word);

// The word's map at one evaluation (from 0), the mean over its layers: those of each resolution resized to
// the latents. For maps with steps.
HeatMap word_heat_at(const AttentionMaps& maps, std::size_t word, int evaluation);

// The picture, and below it each shown word's map over it, labelled. `title` stands on top.
Image attention_panel(const Image& picture, const AttentionMaps& maps, const std::string& title);

// A row a word, a column a step, up to ten of them; each row on its own scale. With steps.
Image attention_film(const AttentionMaps& maps, const std::string& title);

// A frame a step: all words over the picture so far, or over the picture where there are no previews. With
// steps.
std::vector<Image> attention_frames(const Image& picture, const AttentionMaps& maps,
                                    const std::vector<Image>& previews, const std::string& title);

}  // namespace sdgen
