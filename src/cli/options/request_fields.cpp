#include "cli/options/request_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "cli/options/other_names.h"
#include "cli/options/values.h"

namespace sdgen::cli {
namespace {

std::vector<RequestField> all_fields() {
  std::vector<RequestField> fields;
  for (const RequestRow& row : request_rows())
    fields.push_back({row.name, row.alias, row.letter, row.group, row.value, row.help,
                      std::visit([](auto member) { return JobMember(member); }, row.member), row.sweeps});
  fields.push_back({"edit-from", "", "", request_rows().back().group, "FILE",
                    "keep the layout, seed and settings of a picture drawn before, with another prompt",
                    &Job::edit_picture});
  fields.push_back({"output", "", "o", "Output", "PATH",
                    "a .png, .jpg or .webp, a pattern, a folder (ending in /) or - [sd-gen-{seed}.png]",
                    &Job::output});
  return fields;
}

std::string dashed(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '_', '-');
  return result;
}

template <typename T>
T& value_of(T& member) {
  return member;
}
template <typename T>
T& value_of(std::optional<T>& member) {
  return member.emplace();
}

template <typename Source>
void set_member(Job& job, const RequestField& field, const std::string& name, const Source& source) {
  std::visit([&](auto member) { parse_value(name, source, value_of(job.*member)); }, field.member);
  job.given.insert(field.name);
}

}  // namespace

bool RequestField::is_list() const {
  return std::visit(
      [](auto member) {
        using Value = std::remove_reference_t<decltype(std::declval<Job>().*member)>;
        return requires(Value value) {
          value.push_back(value.front());
        }
        &&!std::is_same_v<Value, std::string>;
      },
      member);
}

std::span<const RequestField> request_fields() {
  static const std::vector<RequestField> kFields = all_fields();
  return kFields;
}

const RequestField* find_field(std::string_view name) {
  const std::string wanted = dashed(name);
  for (const RequestField& field : request_fields())
    if (field.name == wanted || (!field.alias.empty() && field.alias == wanted)) return &field;
  return nullptr;
}

std::vector<std::string> field_names() {
  std::vector<std::string> names;
  for (const RequestField& field : request_fields()) {
    names.emplace_back(field.name);
    if (!field.alias.empty()) names.emplace_back(field.alias);
  }
  return names;
}

void set_field(Job& job, const RequestField& field, const std::string& name, const std::string& text) {
  if (field.name == "seed" && text == "-1") {  // as other programs ask for a random one
    job.seed.reset();
    return;
  }
  const auto named = field.name == "sampler" ? sampler_of_name(text) : std::nullopt;
  if (!named) return set_member(job, field, name, text);
  set_member(job, field, name, named->sampler);
  if (!named->schedule.empty() && !job.given.contains("schedule"))
    set_member(job, *find_field("schedule"), name, named->schedule);
}

void set_field(Job& job, const RequestField& field, const std::string& name, const nlohmann::json& json) {
  set_member(job, field, name, json);
}

void copy_field(const Job& from, Job& to, const RequestField& field) {
  std::visit([&](auto member) { to.*member = from.*member; }, field.member);
  if (from.given.contains(field.name)) to.given.insert(field.name);
}

}  // namespace sdgen::cli
