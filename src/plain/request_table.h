// The one table of a request's fields. Command-line flags, prompt-file lines, JSON keys, --help, sweeps, the
// key of a batch, a picture's metadata, the command that repeats it and --edit-from all come from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sdgen/model_files.h"
#include "sdgen/request.h"

namespace sdgen {

// Which member of a Request a row is of.
using RequestMember =
    std::variant<std::string Request::*, std::optional<std::string> Request::*, int Request::*,
                 std::optional<int> Request::*, double Request::*, std::optional<double> Request::*,
                 std::optional<std::uint64_t> Request::*, std::optional<bool> Request::*,
                 std::vector<WordWeight> Request::*, std::vector<WordBox> Request::*,
                 std::vector<std::string> Request::*, std::vector<double> Request::*>;

// The models with which a field means something.
enum class ToldWith { kEveryModel, kRefiner, kControlNets, kPictureModel /* ModelInfo::takes_picture */ };

struct RequestRow {
  std::string_view name;      // the long flag, without dashes in front
  std::string_view alias{};   // another long name
  std::string_view letter{};  // the short flag
  std::string_view group;     // its heading in --help
  std::string_view value;     // what it takes, for --help
  std::string_view help;
  RequestMember member;
  std::string_view
      metadata{};  // its name in a picture's parameters text; empty: told at its head, or not at all
  ToldWith told_with = ToldWith::kEveryModel;
  std::optional<double> silent{};  // the number that is not told, because it is what nobody asked for
  int metadata_offset = 0;         // what other programs count more
  bool separates_batches = true;   // pictures that differ in it are not computed together
  bool repeats = true;             // part of the command that draws the picture again
  bool kept_by_edits = true;       // --edit-from takes it from the earlier picture
  bool of_sampler = false;         // goes with the sampler: another one may take none
  bool sweeps = true;
};

// All rows, in the order of --help.
std::span<const RequestRow> request_rows();

// Whether pictures of both may be computed together.
bool same_settings(const Request& one, const Request& other);

// The values that draw the same picture again, one for each time the flag is given: none where the field is
// empty, does not matter to this model or goes without saying.
std::vector<std::string> told_values(const RequestRow& row, const Request& request, const ModelInfo& model);

// What a picture's metadata tell of a row: told_values() in one text. Empty: nothing.
std::string metadata_text(const RequestRow& row, const Request& request, const ModelInfo& model);

// Fills the row's member from metadata_text(), or with `silent` from an empty text; what cannot be read stays
// as it is.
void read_metadata(const RequestRow& row, const std::string& text, Request& request);

// Copies one field.
void copy_field(const RequestRow& row, const Request& from, Request& to);

}  // namespace sdgen
