// What the command line, a line of a prompt file and a JSON object may say of a request: the rows of
// plain/request_table.h, and where pictures come from and go to.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plain/request_table.h"
#include "sdgen/request.h"

namespace sdgen::cli {

// A request and where its pictures go.
struct Job : Request {
  std::string output;        // --output: a picture's name, a pattern, a folder or -; empty: the default name
  bool own_output = false;   // `output` was given on a line of the prompt file
  std::string edit_picture;  // --edit-from: the picture whose prompt becomes Request::edit_from
  std::set<std::string_view> given{};  // names of the fields that were set, be it to what they were
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
  bool sweeps = false;

  // Whether repeated flags add up.
  bool is_list() const;
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

// Copies one field and that it was given.
void copy_field(const Job& from, Job& to, const RequestField& field);

}  // namespace sdgen::cli
