#include "results/attention_pictures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "image/contact_sheet.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr std::size_t kAcross = 6;  // words side by side
constexpr int kWordSide = 192;      // pixels of a word's picture, about
constexpr int kPictureSide = 512;   // pixels of the picture above them, about
constexpr int kFilmSide = 96;
constexpr int kStripHeight = 14;
constexpr int kFrameSide = 128;
constexpr std::size_t kFilmColumns = 10;
constexpr std::size_t kMaxFrames = 60;

double highest_of(const HeatMap& map) {
  return map.values.empty() ? 0.0 : *std::max_element(map.values.begin(), map.values.end());
}

double percent(double part) {
  return std::round(part * 1000) / 10;
}

// The picture with its longer side near `side`: enlarged or reduced by a whole factor.
Image near(const Image& image, int side) {
  const int longer = std::max(image.width, image.height);
  return longer >= 2 * side ? reduced(image, longer / side) : enlarged(image, std::max(1, side / longer));
}

// `image` smoothly at the size of `like`.
Image fitted(const Image& image, const Image& like) {
  if (image.width == like.width && image.height == like.height) return image;
  const at::Tensor rows = at::from_blob(const_cast<std::uint8_t*>(image.rgb.data()),
                                        {1, image.height, image.width, 3}, at::kByte);
  const at::Tensor resized = at::upsample_bilinear2d(rows.permute({0, 3, 1, 2}).to(at::kFloat),
                                                     {like.height, like.width}, /*align_corners=*/false);
  const at::Tensor bytes = resized.round().to(at::kByte).permute({0, 2, 3, 1}).contiguous();
  const auto* const data = bytes.const_data_ptr<std::uint8_t>();
  return {like.width, like.height, {data, data + bytes.numel()}};
}

// Cells in rows of about the same length.
ContactSheet sheet_of(std::vector<ContactSheet::Cell> cells) {
  const std::size_t rows = (cells.size() + kAcross - 1) / kAcross;
  const std::size_t across = (cells.size() + rows - 1) / rows;
  ContactSheet sheet;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i % across == 0) sheet.cells.emplace_back();
    sheet.cells.back().push_back(std::move(cells[i]));
  }
  return sheet;
}

// The colours from cold to hot, with what they mean below.
Image scale_strip(const std::string& meaning) {
  HeatMap ramp{kPictureSide, 1, {}};
  for (int i = 0; i < kPictureSide; ++i) ramp.values.push_back(static_cast<float>(i) / (kPictureSide - 1));
  ContactSheet sheet;
  sheet.cells = {{{heat_picture(ramp, kPictureSide, kStripHeight, 1.0), meaning}}};
  return contact_sheet(sheet);
}

// Steps spread evenly over the run, the first and the last among them.
std::vector<int> spread(int count, std::size_t most) {
  const int columns = std::min(count, static_cast<int>(most));
  std::vector<int> steps;
  for (int i = 0; i < columns; ++i)
    steps.push_back(columns == 1 ? count - 1
                                 : static_cast<int>(std::lround(i * (count - 1.0) / (columns - 1))));
  return steps;
}

struct Steps {
  std::vector<int> evaluations;
  std::vector<std::vector<HeatMap>> maps;  // [word][step]
  std::vector<double> highest;             // of a word
};

Steps steps_of(const AttentionMaps& maps, const std::vector<std::size_t>& words, std::size_t most) {
  Steps steps{spread(maps.evaluations, most), {}, {}};
  for (const std::size_t word : words) {
    std::vector<HeatMap>& of_word = steps.maps.emplace_back();
    double highest = 0.0;
    for (const int evaluation : steps.evaluations) {
      of_word.push_back(word_heat_at(maps, word, evaluation));
      highest = std::max(highest, highest_of(of_word.back()));
    }
    steps.highest.push_back(highest);
  }
  return steps;
}

std::vector<std::string> texts_of(const AttentionMaps& maps, const std::vector<std::size_t>& words) {
  std::vector<std::string> texts;
  for (const std::size_t word : words) texts.push_back(maps.words[word].text);
  return texts;
}

}  // namespace

std::vector<std::size_t> shown_words(const AttentionMaps& maps) {
  std::vector<std::size_t> words;
  for (std::size_t i = 0; i < maps.words.size(); ++i)
    if (maps.words[i].kind == PromptWord::Kind::kWord && !maps.words[i].tokens.empty()) words.push_back(i);
  return words;
}

WordHeat word_heat(const AttentionMaps& maps, std::size_t word) {
  WordHeat heat{{maps.width, maps.height, maps.word_map(word)}};
  for (const float value : heat.map.values) heat.share += value;
  heat.share /= std::max<double>(1.0, static_cast<double>(heat.map.values.size()));
  heat.highest = highest_of(heat.map);
  return heat;
}

HeatMap word_heat_at(const AttentionMaps& maps, std::size_t word, int evaluation) {
  at::Tensor sum = at::zeros({1, 1, maps.height, maps.width});
  int layers = 0;
  for (const AttentionSteps& steps : maps.steps) {
    const at::Tensor all =
        at::from_blob(const_cast<float*>(steps.maps.data()),
                      {maps.evaluations, maps.tokens, steps.height, steps.width}, at::kFloat);
    at::Tensor of_word = at::zeros({1, 1, steps.height, steps.width});
    for (const int token : maps.words[word].tokens) of_word += all[evaluation][token];
    sum += steps.layers * at::upsample_bilinear2d(of_word, {maps.height, maps.width}, false);
    layers += steps.layers;
  }
  if (layers > 0) sum /= layers;
  const at::Tensor plain = sum.contiguous();
  return {maps.width,
          maps.height,
          {plain.const_data_ptr<float>(), plain.const_data_ptr<float>() + plain.numel()}};
}

Image attention_panel(const Image& picture, const AttentionMaps& maps, const std::string& title) {
  ContactSheet top;
  top.title = title;
  top.cells = {{{near(picture, kPictureSide), ""}}};
  const Image below = near(picture, kWordSide);
  std::vector<ContactSheet::Cell> cells;
  for (const std::size_t word : shown_words(maps)) {
    const WordHeat heat = word_heat(maps, word);
    cells.push_back({heat_overlay(below, heat.map, heat.highest),
                     concat(maps.words[word].text, "  ", percent(heat.share), "%")});
  }
  if (cells.empty()) return contact_sheet(top);
  return stacked({contact_sheet(top), contact_sheet(sheet_of(std::move(cells))),
                  scale_strip("each map on its own scale, from 0 to its highest; %: the word's part of all "
                              "attention")},
                 kSheetColor);
}

Image attention_film(const AttentionMaps& maps, const std::string& title) {
  const std::vector<std::size_t> words = shown_words(maps);
  const Steps steps = steps_of(maps, words, kFilmColumns);
  ContactSheet sheet;
  sheet.title = title;
  sheet.rows = texts_of(maps, words);
  for (const int evaluation : steps.evaluations) sheet.columns.push_back(concat("step ", evaluation + 1));
  const int longer = std::max(maps.width, maps.height);
  const int width = kFilmSide * maps.width / longer, height = kFilmSide * maps.height / longer;
  for (std::size_t word = 0; word < words.size(); ++word) {
    sheet.cells.emplace_back();
    for (const HeatMap& map : steps.maps[word])
      sheet.cells.back().push_back(
          {heat_picture(map, std::max(1, width), std::max(1, height), steps.highest[word]), ""});
  }
  sheet.least_cell_px = kFilmSide;
  return contact_sheet(sheet);
}

std::vector<Image> attention_frames(const Image& picture, const AttentionMaps& maps,
                                    const std::vector<Image>& previews, const std::string& title) {
  const std::vector<std::size_t> words = shown_words(maps);
  const Steps steps = steps_of(maps, words, kMaxFrames);
  const Image whole = near(picture, kFrameSide);
  std::vector<Image> frames;
  for (std::size_t i = 0; i < steps.evaluations.size(); ++i) {
    const auto evaluation = static_cast<std::size_t>(steps.evaluations[i]);
    const Image below = evaluation < previews.size() ? fitted(previews[evaluation], whole) : whole;
    std::vector<ContactSheet::Cell> cells = {{below, concat("step ", evaluation + 1)}};
    for (std::size_t word = 0; word < words.size(); ++word)
      cells.push_back(
          {heat_overlay(below, steps.maps[word][i], steps.highest[word]), maps.words[words[word]].text});
    ContactSheet sheet = sheet_of(std::move(cells));
    sheet.title = title;
    frames.push_back(contact_sheet(sheet));
  }
  return frames;
}

}  // namespace sdgen
