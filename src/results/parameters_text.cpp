#include <cctype>
#include <charconv>
#include <map>
#include <sstream>

#include "base/json_file.h"
#include "plain/request_table.h"
#include "plain/sampler_names.h"
#include "sdgen/parameters.h"

namespace sdgen {
namespace {

// Viewers split the last line at ", " and ": "; values that hold these are quoted as JSON.
std::string quoted(const std::string& value) {
  return value.find_first_of(",:\n") == std::string::npos
             ? value
             : Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The values of "Steps: 30, Sampler: DDIM, Model: \"a, b\"" by their names.
std::map<std::string, std::string> values_of(const std::string& line) {
  std::map<std::string, std::string> values;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t colon = line.find(": ", at);
    if (colon == std::string::npos) break;
    std::size_t end = line.find(", ", colon + 2);
    std::string value;
    if (line[colon + 2] == '"') {
      std::size_t quote = colon + 3;
      while (quote < line.size() && line[quote] != '"') quote += line[quote] == '\\' ? 2 : 1;
      end = line.find(", ", std::min(quote, line.size()));
      const Json text = Json::parse(line.substr(colon + 2, quote - colon - 1), nullptr, false);
      if (text.is_string()) value = text.get<std::string>();
    } else {
      value = line.substr(colon + 2, end - colon - 2);
    }
    values[line.substr(at, colon - at)] = value;
    at = end == std::string::npos ? line.size() : end + 2;
  }
  return values;
}

template <typename Number>
void read_number(const std::map<std::string, std::string>& values, const char* name,
                 std::optional<Number>& number) {
  const auto found = values.find(name);
  if (found == values.end()) return;
  const std::string& text = found->second;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) number = value;
}

// A list, with ; between.
std::string joined(const std::vector<std::string>& texts) {
  return join(texts, ";");
}

// "karras" as other programs write it: "Karras".
std::string schedule_title(std::string name) {
  if (!name.empty()) name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

// "DPM++ 2M" and "Karras", or, as other programs used to write it, "DPM++ 2M Karras". Unknown ones are left
// open.
void read_sampler(std::string title, const std::string& schedule, Request& request) {
  for (const std::string& name : schedule_names()) {
    const std::string suffix = concat(" ", schedule_title(name));
    if (schedule == schedule_title(name)) request.schedule = name;
    if (!title.ends_with(suffix)) continue;
    request.schedule = name;
    title.erase(title.size() - suffix.size());
  }
  for (const SamplerName& sampler : named_samplers())
    if (sampler.title == title) request.sampler = std::string(sampler.name);
}

}  // namespace

std::optional<PictureParameters> read_parameters(const std::string& text) {
  const std::size_t last = text.rfind('\n');
  if (last == std::string::npos) return std::nullopt;
  const std::map<std::string, std::string> values = values_of(text.substr(last + 1));
  const auto value = [&](const char* name, const char* otherwise) {
    const auto found = values.find(name);
    return found == values.end() ? otherwise : found->second;
  };
  PictureParameters read{{}, value("Model", ""), value("Dtype", "float32"), value("Quantize", "none")};
  read.steered = values.contains("Attend") || values.contains("Focus") || values.contains("Edit from");
  read.loras = value("Lora", "");
  read.embeddings = value("Embeddings", "");
  read.refiner = value("Refiner", "");
  read.controlnets = value("ControlNet", "");
  Request& request = read.request;
  read_number(values, "Steps", request.steps);
  read_number(values, "Seed", request.seed);
  if (!request.steps || !request.seed) return std::nullopt;
  read_number(values, "CFG scale", request.guidance_scale);
  if (const auto size = values.find("Size"); size != values.end()) {
    const std::size_t x = size->second.find('x');
    const std::map<std::string, std::string> sides = {
        {"width", size->second.substr(0, x)},
        {"height", x == std::string::npos ? "" : size->second.substr(x + 1)}};
    read_number(sides, "width", request.width);
    read_number(sides, "height", request.height);
  }
  read_sampler(value("Sampler", ""), value("Schedule type", ""), request);
  for (const RequestRow& row : request_rows())
    if (!row.metadata.empty()) read_metadata(row, value(std::string(row.metadata).c_str(), ""), request);
  const std::string texts = text.substr(0, last);
  const std::string mark = "\nNegative prompt: ";
  const std::size_t negative = texts.rfind(mark);
  request.prompt = texts.substr(0, negative);
  if (negative != std::string::npos) request.negative_prompt = texts.substr(negative + mark.size());
  return read;
}

std::string parameters_text(const Request& request, std::uint64_t seed, const ModelInfo& model) {
  std::ostringstream text;
  text << request.prompt << '\n';
  if (!request.negative_prompt.empty()) text << "Negative prompt: " << request.negative_prompt << '\n';
  text << "Steps: " << *request.steps << ", Sampler: " << sampler_title(*request.sampler);
  if (request.schedule) text << ", Schedule type: " << schedule_title(*request.schedule);
  text << ", CFG scale: " << number_text(*request.guidance_scale) << ", Seed: " << seed
       << ", Size: " << *request.width << 'x' << *request.height << ", Model: " << quoted(model.name);
  if (!model.controlnets.empty()) text << ", ControlNet: " << quoted(joined(model.controlnets));
  if (!model.refiner.empty()) text << ", Refiner: " << quoted(model.refiner);
  if (!model.loras.empty()) text << ", Lora: " << quoted(join(model.loras));
  if (!model.embeddings.empty()) text << ", Embeddings: " << quoted(join(model.embeddings));
  for (const RequestRow& row : request_rows())
    if (const std::string told = metadata_text(row, request, model); !row.metadata.empty() && !told.empty())
      text << ", " << row.metadata << ": " << quoted(told);
  if (request.edit_from) text << ", Edit from: " << quoted(*request.edit_from);
  if (model.dtype != "float32") text << ", Dtype: " << model.dtype;
  if (model.quantize != "none") text << ", Quantize: " << model.quantize;
  text << ", Version: sd-gen " << SDGEN_VERSION;
  return text.str();
}

}  // namespace sdgen
