#include "cli/options/sweep.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/options/nearest.h"
#include "cli/options/program_options.h"
#include "cli/options/refuse.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

// What stays as it is: where results go and what is told.
const std::set<std::string, std::less<>> kFixed = {
    "prompt-file",      "overwrite", "json", "quiet",  "verbose", "sweep",        "compare",
    "no-profile",       "log-level", "grid", "report", "preview", "preview-file", "attention-maps",
    "attention-detail", "quality"};

std::vector<std::string> sweepable_names() {
  std::vector<std::string> names = {"size"};
  for (const RequestField& field : request_fields())
    if (field.sweeps) names.emplace_back(field.name);
  for (const ProgramOption& option : program_options())
    if (!kFixed.contains(option.name)) names.emplace_back(option.name);
  return names;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1)
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

void set_swept(Options& options, const std::string& name, const std::string& value) {
  const std::string shown = "--sweep " + name;
  if (name != "size") return set_option(options, name, shown, value);
  const std::vector<std::string> sides = split(value, 'x');
  if (sides.size() > 2) refuse(shown + ": expected N or WxH, got '" + value + "'");
  set_option(options, "width", shown, sides.front());
  set_option(options, "height", shown, sides.back());
}

void refuse_repeated(const std::vector<SweepAxis>& sweep) {
  std::set<std::string> seen;
  const auto add = [&](const std::string& name) {
    if (!seen.insert(name).second) refuse("--sweep: " + name + " is swept twice");
  };
  for (const SweepAxis& axis : sweep) {
    if (axis.name == "size") add("height");
    add(axis.name == "size" ? "width" : axis.name);
  }
}

// Each combination is a copy of all options.
void refuse_too_many(const std::vector<SweepAxis>& sweep) {
  constexpr std::size_t kMaxCombinations = 10'000;
  std::size_t count = 1;
  for (const SweepAxis& axis : sweep) {
    count *= axis.values.size();
    if (count > kMaxCombinations)
      refuse("--sweep: more than " + std::to_string(kMaxCombinations) +
             " combinations of all values; sweep fewer at a time");
  }
}

}  // namespace

SweepAxis parse_sweep(const std::string& shown, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos)
    refuse(shown + ": expected NAME=VALUE,VALUE,..., got '" + text + "'; for example " + shown +
           " steps=10,20");
  std::string name = text.substr(0, equals);
  if (const RequestField* field = find_field(name)) name = field->name;  // an alias
  const std::vector<std::string> known = sweepable_names();
  if (std::find(known.begin(), known.end(), name) == known.end())
    refuse(shown + ": cannot sweep '" + name + "'" + hint_and_list(name, known, "known"));
  const SweepAxis axis{name, split(text.substr(equals + 1), ',')};
  if (std::find(axis.values.begin(), axis.values.end(), "") != axis.values.end())
    refuse(shown + ": a value of " + name + " is empty in '" + text + "'");
  return axis;
}

std::vector<Combination> combinations(const Options& options) {
  refuse_repeated(options.sweep);
  refuse_too_many(options.sweep);
  std::vector<Combination> all = {{options, {}}};
  all.front().options.sweep.clear();  // these would be copied into each
  all.front().options.command_line.clear();
  for (const SweepAxis& axis : options.sweep) {
    std::vector<Combination> longer;
    for (const Combination& base : all)
      for (const std::string& value : axis.values) {
        Combination& next = longer.emplace_back(base);
        set_swept(next.options, axis.name, value);
        next.swept.emplace_back(axis.name, value);
      }
    all = std::move(longer);
  }
  return all;
}

nlohmann::ordered_json swept_json(const SweptValues& swept) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : swept) {
    const auto number = nlohmann::ordered_json::parse(value, nullptr, /*allow_exceptions=*/false);
    json[name] = number.is_number() ? number : nlohmann::ordered_json(value);
  }
  return json;
}

std::string swept_text(const SweptValues& swept) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : swept) parts.push_back(name + " " + value);
  return comma_list(parts);
}

}  // namespace sdgen::cli
