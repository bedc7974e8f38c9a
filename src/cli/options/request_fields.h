// The one table of a request's options: command-line flags, flags of a prompt-file line and JSON keys all
// come from it.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sdgen/request.h"

namespace sdgen::cli {

// A request and where its pictures go.
struct Job : Request {
  std::string output;                // --output: a .png, a pattern or a folder; empty: the default name
  bool own_output = false;           // `output` was given on a line of the prompt file
  bool own_negative_prompt = false;  // given, be it empty
  bool own_eta = false;              // given, be it 0
  bool own_refiner_start = false;    // given, be it 0.8
  std::string edit_picture;          // --edit-from: the picture whose prompt becomes Request::edit_from
};

// Which member of a Job a row fills.
using JobMember =
    std::variant<std::string Job::*, std::optional<std::string> Job::*, int Job::*, std::optional<int> Job::*,
                 double Job::*, std::optional<double> Job::*, std::optional<std::uint64_t> Job::*,
                 std::optional<bool> Job::*, std::vector<WordWeight> Job::*, std::vector<WordBox> Job::*,
                 std::vector<std::string> Job::*, std::vector<double> Job::*>;

struct RequestField {
  std::string_view name;    // the long flag, without dashes in front
  std::string_view alias;   // another long name, or empty
  std::string_view letter;  // the short flag, or empty
  std::string_view group;   // its heading in --help
  std::string_view value;   // what it takes, for --help
  std::string_view help;
  JobMember member;
};

// All rows, in the order of --help.
std::span<const RequestField> request_fields();

// The row of a long name or alias; underscores count as dashes. Null if there is none.
const RequestField* find_field(std::string_view name);

// Long names and aliases.
std::vector<std::string> field_names();

// Set the row's member; `name` is how the user wrote it. Throw Error(kRequest): "NAME: expected a number, got
// 'x'".
void set_field(Job& job, const RequestField& field, const std::string& name, const std::string& text);
void set_field(Job& job, const RequestField& field, const std::string& name, const nlohmann::json& json);

void copy_field(const Job& from, Job& to, const RequestField& field);

}  // namespace sdgen::cli
