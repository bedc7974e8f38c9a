#include "cli/commands/compare.h"

#include <fstream>
#include <sstream>

#include "plain/json_text.h"
#include "sdgen/error.h"
#include "sdgen/printable.h"

namespace sdgen::cli {
namespace {

using Pointer = BenchObject::json_pointer;

struct Figure {
  const char* name;
  const char* path;
  bool is_in_every_result;
};

constexpr Figure kFigures[] = {{"load", "/stages/load/median_s", true},
                               {"text_encode", "/stages/text_encode/median_s", true},
                               {"denoise_step", "/stages/denoise_step/median_s", true},
                               {"decode", "/stages/decode/median_s", true},
                               {"total", "/stages/total/median_s", true},
                               {"pictures_per_minute", "/pictures_per_minute", true},
                               {"peak_memory_bytes", "/peak_memory_bytes", true},
                               {"joules_per_picture", "/joules_per_picture", false}};

constexpr const char* kSettings[] = {"model",  "device",     "dtype", "quantize", "threads",       "width",
                                     "height", "batch_size", "steps", "sampler",  "guidance_scale"};

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxValues = 1'000'000;
constexpr std::size_t kLongestValue = 100;

[[noreturn]] void refuse_input(const std::string& message) {
  throw Error(ErrorKind::kInput, message);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char part[1 << 16];
  while (file && text.size() <= kMaxBytes) {
    file.read(part, sizeof part);
    text.append(part, static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof() && text.size() > kMaxBytes)
    refuse_input(path + ": is too large to be the output of sd-gen bench --json");
  if (!file.eof()) refuse_input(path + ": cannot be read; --compare takes what sd-gen bench --json printed");
  return text;
}

std::optional<double> number_at(const BenchObject& result, const char* path) {
  const Pointer pointer(path);
  if (!result.contains(pointer) || !result.at(pointer).is_number()) return {};
  return result.at(pointer).get<double>();
}

// "/stages/load/median_s" as "stages.load.median_s"
std::string dotted(std::string path) {
  for (char& letter : path)
    if (letter == '/') letter = '.';
  return path.substr(1);
}

void check(const std::string& place, const BenchObject& result) {
  if (!result.is_object())
    refuse_input(place + ": is no JSON object; expected what sd-gen bench --json prints");
  for (const Figure& figure : kFigures)
    if (figure.is_in_every_result && !number_at(result, figure.path))
      refuse_input(place + ": key '" + dotted(figure.path) +
                   "' is missing or no number; expected what sd-gen bench --json prints");
}

std::string shown(const BenchObject& value) {
  return printable(value.is_string() ? value.get<std::string>()
                                     : value.dump(-1, ' ', false, BenchObject::error_handler_t::replace),
                   kLongestValue);
}

}  // namespace

std::optional<double> Comparison::ratio(const std::string& name) const {
  for (const auto& [known, ratio] : ratios)
    if (known == name) return ratio;
  return {};
}

std::vector<BenchObject> read_results(const std::string& path) {
  const std::string text = content_of(path);
  const std::string excess = json_excess(text, kMaxValues);
  if (!excess.empty()) refuse_input(path + ": its JSON " + excess);
  BenchObject whole = BenchObject::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!whole.is_discarded()) {
    check(path, whole);
    return {std::move(whole)};
  }
  std::vector<BenchObject> results;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = path + ":" + std::to_string(number);
    BenchObject result = BenchObject::parse(line, nullptr, /*allow_exceptions=*/false);
    if (result.is_discarded()) refuse_input(place + ": is no JSON; expected what sd-gen bench --json prints");
    check(place, result);
    results.push_back(std::move(result));
  }
  if (results.empty()) refuse_input(path + ": is empty; expected what sd-gen bench --json prints");
  return results;
}

const BenchObject* find_counterpart(const std::vector<BenchObject>& old, const BenchObject& now) {
  const auto swept = [](const BenchObject& result) {
    return nlohmann::json(result.contains("sweep") ? result.at("sweep") : BenchObject());  // in any order
  };
  for (const BenchObject& result : old)
    if (swept(result) == swept(now)) return &result;
  return old.size() == 1 ? &old.front() : nullptr;
}

Comparison compare(const std::string& file, const BenchObject& old, const BenchObject& now) {
  Comparison comparison{file, {}, {}};
  for (const Figure& figure : kFigures) {
    const auto before = number_at(old, figure.path), after = number_at(now, figure.path);
    if (before && after && *before > 0.0) comparison.ratios.emplace_back(figure.name, *after / *before);
  }
  for (const char* key : kSettings)
    if (old.contains(key) && now.contains(key) && old.at(key) != now.at(key))
      comparison.differences.push_back(std::string(key) + " is " + shown(now.at(key)) + ", was " +
                                       shown(old.at(key)));
  return comparison;
}

}  // namespace sdgen::cli
