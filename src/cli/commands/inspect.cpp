#include "cli/commands/inspect.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/options/model_path.h"
#include "sdgen/error.h"
#include "sdgen/hub_cache.h"
#include "sdgen/printable.h"

namespace sdgen::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kLongestValue = 300, kMaxShown = 8;

std::string size_text(std::uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (bytes < 1024) return fmt::format("{} B", bytes);
  if (bytes < std::uint64_t{1} << 20) return fmt::format("{:.1f} KiB", number / 1024);
  if (bytes < std::uint64_t{1} << 30) return fmt::format("{:.1f} MiB", number / (1 << 20));
  return fmt::format("{:.2f} GiB", number / (1 << 30));
}

// "860 M"
std::string count_text(std::uint64_t count) {
  const auto number = static_cast<double>(count);
  if (count < 10'000) return std::to_string(count);
  if (count < 1'000'000) return fmt::format("{:.1f} k", number / 1e3);
  if (count < 10'000'000'000) return fmt::format("{:.1f} M", number / 1e6);
  return fmt::format("{:.1f} G", number / 1e9);
}

std::string dtypes_text(const InspectedComponent& component) {
  std::string text;
  for (const auto& [dtype, count] : component.dtypes) text += (text.empty() ? "" : ", ") + dtype;
  return text;
}

std::string one_line(const std::string& text) {
  return printable(text, kLongestValue);
}

std::vector<std::string> row_of(const std::string& name, const std::string& dtypes, std::uint64_t parameters,
                                std::uint64_t bytes) {
  return {one_line(name),   count_text(parameters),    dtypes,
          size_text(bytes), size_text(4 * parameters), size_text(2 * parameters)};
}

// Columns as wide as their widest entry; names to the left, numbers to the right.
std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i == 0 || i == 2 ? fmt::format("  {:<{}}", row[i], widths[i])
                               : fmt::format("  {:>{}}", row[i], widths[i]);
    text += line + "\n";
  }
  return text;
}

std::string components_text(const Inspection& inspection) {
  std::vector<std::vector<std::string>> rows = {
      {"component", "parameters", "stored as", "on disk", "in float32", "in bfloat16, float16"}};
  std::uint64_t parameters = 0, bytes = 0;
  for (const InspectedComponent& component : inspection.components) {
    rows.push_back(row_of(component.name, dtypes_text(component), component.parameters, component.bytes));
    parameters += component.parameters;
    bytes += component.bytes;
  }
  if (inspection.components.size() > 1) rows.push_back(row_of("all", "", parameters, bytes));
  return table_text(rows);
}

std::string pairs_text(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::size_t width = 0;
  for (const auto& [name, value] : pairs) width = std::max(width, one_line(name).size());
  std::string text;
  for (const auto& [name, value] : pairs)
    text += fmt::format("  {:<{}}  {}\n", one_line(name), width, one_line(value));
  return text;
}

std::string list_text(const std::string& title, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string text = title + " (" + std::to_string(names.size()) + "):";
  for (std::size_t i = 0; i < std::min(names.size(), kMaxShown); ++i) text += " " + one_line(names[i]);
  return text + (names.size() > kMaxShown ? " ...\n" : "\n");
}

}  // namespace

std::string inspection_text(const Inspection& inspection) {
  std::string text = one_line(inspection.path) + ": " + inspection.kind;
  if (!inspection.family.empty()) text += ", " + one_line(inspection.family);
  text += " (" + inspection.format + ", " + size_text(inspection.bytes) + ")\n";
  if (!inspection.components.empty()) text += components_text(inspection);
  text += pairs_text(inspection.facts);
  text += list_text("missing", inspection.missing);
  text += list_text(inspection.kind == "unknown" ? "tensors, the first" : "belong to no component",
                    inspection.unused);
  if (inspection.metadata.empty()) return text;
  return text + "metadata:\n" + pairs_text({inspection.metadata.begin(), inspection.metadata.end()});
}

std::string inspection_json(const Inspection& inspection) {
  OrderedJson components = OrderedJson::array(), facts = OrderedJson::object(),
              configs = OrderedJson::object();
  std::uint64_t parameters = 0;
  for (const InspectedComponent& component : inspection.components) {
    parameters += component.parameters;
    const std::uint64_t half = component.memory_bytes(2);
    components.push_back(
        {{"name", component.name},
         {"class", component.class_name},
         {"tensors", component.tensors},
         {"parameters", component.parameters},
         {"bytes", component.bytes},
         {"dtypes", component.dtypes},
         {"memory_bytes", {{"float32", component.memory_bytes(4)}, {"bfloat16", half}, {"float16", half}}}});
  }
  for (const auto& [name, value] : inspection.facts) facts[name] = value;
  for (const auto& [name, config] : inspection.configs) configs[name] = OrderedJson::parse(config);
  const OrderedJson json = {{"path", inspection.path},     {"kind", inspection.kind},
                            {"format", inspection.format}, {"family", inspection.family},
                            {"bytes", inspection.bytes},   {"parameters", parameters},
                            {"components", components},    {"facts", facts},
                            {"configs", configs},          {"missing", inspection.missing},
                            {"unused", inspection.unused}, {"metadata", inspection.metadata}};
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

int run_inspect(const Options& options) {
  const std::string& name = options.paths.front();
  std::error_code ignored;
  const bool is_path = std::filesystem::exists(std::filesystem::symlink_status(name, ignored));
  const Inspection inspection =
      inspect(hub_snapshot(is_path ? std::filesystem::path(name) : find_model(name, model_folders())));
  const std::string text = options.json ? inspection_json(inspection) : inspection_text(inspection);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(ErrorKind::kWorking, "the results could not be printed to standard output");
  return 0;
}

}  // namespace sdgen::cli
