#include "cli/options/flag_rows.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "cli/options/nearest.h"
#include "cli/options/program_options.h"
#include "sdgen/request.h"

namespace sdgen::cli {
namespace {

// Accepted by bench, so that generate's command lines can be reused, but without effect or refused there.
bool is_hidden(std::string_view name, Command command) {
  constexpr std::array kForFiles = {"prompt-file",    "count",     "output",           "overwrite",
                                    "grid",           "report",    "preview",          "preview-file",
                                    "attention-maps", "edit-from", "attention-detail", "quality"};
  return command == Command::kBench && std::find(kForFiles.begin(), kForFiles.end(), name) != kForFiles.end();
}

std::vector<std::string> choices_of(std::string_view name) {
  if (name == "sampler") return sampler_names();
  if (name == "schedule") return schedule_names();
  static const std::map<std::string_view, std::vector<std::string>> kChoices = {
      {"prediction-type", {"epsilon", "v_prediction", "sample"}},
      {"timestep-spacing", {"leading", "trailing", "linspace"}},
      {"zero-snr", {"true", "false"}},
      {"device", {"auto", "cpu", "cuda"}},
      {"dtype", {"auto", "float32", "bfloat16", "float16"}},
      {"quantize", {"none", "int8"}},
      {"vae-tiling", {"auto", "on", "off"}},
      {"log-level", {"trace", "debug", "info", "warn", "error", "off"}}};
  const auto found = kChoices.find(name);
  return found == kChoices.end() ? std::vector<std::string>() : found->second;
}

template <typename Row>
FlagRow row_of(const Row& row, Command command) {
  FlagRow shown{std::string(row.name),   "",
                std::string(row.letter), is_hidden(row.name, command) ? "" : std::string(row.group),
                std::string(row.value),  std::string(row.help),
                choices_of(row.name)};
  if (row.name == "sampler") shown.help = comma_list(shown.choices) + " [the model's own]";
  if (row.name == "schedule")
    shown.help = "how sigmas are spread: " + comma_list(shown.choices) + " [the model's own]";
  return shown;
}

}  // namespace

std::string FlagRow::shown() const {
  std::string text = letter.empty() ? "--" + name : "-" + letter + ", --" + name;
  if (!alias.empty()) text += ", --" + alias;
  return value.empty() ? text : text + " " + value;
}

std::vector<FlagRow> flag_rows(Command command) {
  std::vector<FlagRow> rows;
  for (const RequestField& field : request_fields()) {
    rows.push_back(row_of(field, command));
    rows.back().alias = field.alias;
  }
  for (const ProgramOption& option : program_options())
    if (!option.only_bench || command == Command::kBench) rows.push_back(row_of(option, command));
  const std::string more = "More";
  rows.push_back(
      {"config", "", "", more, "FILE", "flags as key = value lines (TOML); the command line wins"});
  rows.push_back({"help", "", "", more, "", "this text; -h: the short one"});
  rows.push_back({"version", "", "", more, "", "versions of sd-gen and its libraries"});
  return rows;
}

std::vector<std::string> flag_groups(const std::vector<FlagRow>& rows) {
  std::vector<std::string> groups;
  for (const FlagRow& row : rows)
    if (!row.group.empty() && std::find(groups.begin(), groups.end(), row.group) == groups.end())
      groups.push_back(row.group);
  return groups;
}

}  // namespace sdgen::cli
