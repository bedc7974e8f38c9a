#include "sdgen/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/embedded.h"
#include "image/canvas.h"
#include "image/grey_png.h"
#include "image/heat.h"
#include "results/attention_pictures.h"

namespace sdgen {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr char kPlaceholder[] = "__RUN_DATA__";
constexpr std::size_t kMaxSteps = 40;  // thumbnails
constexpr int kThumbnail = 160;        // pixels, about

std::string data_uri(const std::vector<std::uint8_t>& png) {
  return "data:image/png;base64," + base64({reinterpret_cast<const char*>(png.data()), png.size()});
}

std::string data_uri(const Image& image) {
  return data_uri(encode_png(image, {}));
}

// 255 stands for the highest value.
std::string data_uri(const WordHeat& heat) {
  std::vector<std::uint8_t> grey;
  for (const float value : heat.map.values) {
    const double part = heat.highest > 0 ? std::clamp(value / heat.highest, 0.0, 1.0) : 0.0;
    grey.push_back(static_cast<std::uint8_t>(std::lround(255 * part)));
  }
  return data_uri(encode_grey_png(heat.map.width, heat.map.height, grey));
}

OrderedJson word_json(const AttentionMaps& maps, std::size_t word, const std::string& text) {
  const WordHeat heat = word_heat(maps, word);
  return {{"text", text}, {"map", data_uri(heat)}, {"highest", heat.highest}, {"share", heat.share}};
}

// The prompt cut where words begin and end; `shown` are the words that the page has maps of.
OrderedJson segments(const std::string& prompt, const AttentionMaps* maps,
                     const std::vector<std::size_t>& shown) {
  OrderedJson json = OrderedJson::array();
  std::size_t at = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const PromptWord& word = maps->words[shown[i]];
    if (word.begin > at) json.push_back({{"text", prompt.substr(at, word.begin - at)}});
    json.push_back({{"text", word.text}, {"word", i}});
    at = word.end;
  }
  if (at < prompt.size()) json.push_back({{"text", prompt.substr(at)}});
  return json;
}

const char* name_around(PromptWord::Kind kind) {
  if (kind == PromptWord::Kind::kStart) return "start";
  return kind == PromptWord::Kind::kEnd ? "end" : "padding";
}

void add_words(OrderedJson& json, const std::string& prompt, const AttentionMaps* maps) {
  const std::vector<std::size_t> shown = maps ? shown_words(*maps) : std::vector<std::size_t>();
  json["segments"] = segments(prompt, maps, shown);
  json["words"] = OrderedJson::array();
  json["around"] = OrderedJson::array();
  for (const std::size_t word : shown)
    json["words"].push_back(word_json(*maps, word, maps->words[word].text));
  for (std::size_t i = 0; maps && i < maps->words.size(); ++i)
    if (maps->words[i].kind >= PromptWord::Kind::kStart)
      json["around"].push_back(word_json(*maps, i, name_around(maps->words[i].kind)));
}

OrderedJson step_json(int step, const Image& image) {
  const int factor = std::max(1, std::max(image.width, image.height) / kThumbnail);
  return {{"step", step}, {"image", data_uri(reduced(image, factor))}};
}

// The pictures so far, and the picture.
OrderedJson steps(const std::vector<Preview>& previews, const Image& picture) {
  OrderedJson json = OrderedJson::array();
  const std::size_t every = (previews.size() + kMaxSteps - 1) / kMaxSteps;
  for (std::size_t i = 0; i < previews.size(); i += every)
    json.push_back(step_json(previews[i].step, previews[i].image));
  if (!previews.empty()) json.push_back(step_json(previews.back().steps, picture));
  return json;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// [[name, value], ...]
OrderedJson pairs_json(const Pairs& pairs) {
  OrderedJson json = OrderedJson::array();
  for (const auto& [name, value] : pairs) json.push_back(OrderedJson::array({name, value}));
  return json;
}

OrderedJson parameters(const ReportPicture& of, const ModelInfo& model) {
  const Request& request = of.request;
  Pairs pairs = {{"Steps", std::to_string(*request.steps)},
                 {"Sampler", *request.sampler},
                 {"Guidance scale", number_text(*request.guidance_scale)},
                 {"Seed", std::to_string(of.picture.seed)},
                 {"Size", std::to_string(*request.width) + " x " + std::to_string(*request.height)},
                 {"Model", model.name}};
  if (const double rescale = request.guidance_rescale.value_or(0.0); rescale > 0)
    pairs.emplace_back("Guidance rescale", number_text(rescale));
  if (request.eta > 0) pairs.emplace_back("Eta", number_text(request.eta));
  if (!request.attend.empty()) pairs.emplace_back("Attend", attend_text(request.attend));
  if (!request.focus.empty()) pairs.emplace_back("Focus", focus_text(request.focus));
  if (request.edit_from) pairs.emplace_back("Edited from", *request.edit_from);
  return pairs_json(pairs);
}

OrderedJson picture_json(const ReportPicture& of, const ModelInfo& model) {
  const AttentionMaps* const maps = of.picture.attention.get();
  OrderedJson json = {{"path", of.path},
                      {"image", data_uri(of.picture.image)},
                      {"width", of.picture.image.width},
                      {"height", of.picture.image.height},
                      {"seconds", of.picture.seconds},
                      {"prompt", of.request.prompt},
                      {"negative_prompt", of.request.negative_prompt}};
  add_words(json, of.request.prompt, maps);
  json["steps"] = steps(of.previews, of.picture.image);
  json["parameters"] = parameters(of, model);
  json["command"] = of.command;
  return json;
}

std::string version_of(const std::string& name) {
  for (const auto& [known, version] : versions())
    if (known == name) return version;
  return "";
}

}  // namespace

std::string report_page(const RunReport& report) {
  const ModelInfo& model = report.model;
  OrderedJson json = {{"title", "sd-gen"},
                      {"version", version_of("sd-gen")},
                      {"command", report.command},
                      {"model", model.name}};
  Pairs machine = {
      {"device", model.device}, {"dtype", model.dtype}, {"threads", std::to_string(model.threads)}};
  if (model.quantize != "none") machine.emplace_back("quantize", model.quantize);
  machine.emplace_back("libtorch", version_of("libtorch"));
  json["machine"] = pairs_json(machine);
  json["heat"] = OrderedJson::array();
  for (int i = 0; i < 256; ++i) {
    const Color color = heat_color(i / 255.0);
    json["heat"].push_back({color.r, color.g, color.b});
  }
  json["stages"] = OrderedJson::array();
  for (const ReportStage& stage : report.stages)
    json["stages"].push_back({{"name", stage.name}, {"seconds", stage.seconds}, {"count", stage.count}});
  json["pictures"] = OrderedJson::array();
  for (const ReportPicture& picture : report.pictures)
    json["pictures"].push_back(picture_json(picture, model));
  std::string data;
  // Nothing in it may end the script element it stands in.
  for (const char c : json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace))
    c == '<' ? data += "\\u003c" : data += c;
  std::string page(embedded_report_page());
  page.replace(page.find(kPlaceholder), sizeof kPlaceholder - 1, data);
  return page;
}

}  // namespace sdgen
