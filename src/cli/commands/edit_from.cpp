#include "cli/commands/edit_from.h"

#include <algorithm>
#include <map>

#include "cli/options/nearest.h"
#include "plain/utf8.h"

namespace sdgen::cli {
namespace {

PictureParameters read_picture(const std::string& path) {
  for (const auto& [keyword, text] : read_picture_text(path))
    if (may_hold_parameters(keyword))
      if (const auto earlier = read_parameters(text)) return *earlier;
  throw Error(ErrorKind::kInput,
              path +
                  ": tells no prompt and seed (its parameters text, as sd-gen writes it); edit a picture "
                  "that sd-gen drew");
}

constexpr std::size_t kLongestShown = 100;  // bytes of a path that a picture's text names

// A picture's text may be anybody's: no file is opened because it names one.
void require_named(const std::string& picture, const char* flag, bool is_named,
                   const std::string& drawn_with) {
  if (drawn_with.empty() || is_named) return;
  throw Error(ErrorKind::kRequest, picture + " was drawn with " + flag + " " +
                                       std::string(utf8_prefix(drawn_with, kLongestShown)) + "; give " +
                                       flag + " to edit it");
}

void require_own_files(const Job& job, const std::string& picture, const Request& earlier) {
  require_named(picture, "--init-image", job.init_image.has_value(), earlier.init_image.value_or(""));
  require_named(picture, "--mask", job.mask.has_value(), earlier.mask.value_or(""));
  require_named(picture, "--control-image", !job.control_image.empty(),
                earlier.control_image.empty() ? "" : earlier.control_image.front());
}

void take_all(Job& job, const Request& earlier) {
  job.edit_from = earlier.prompt;
  const bool same_sampler = !job.sampler || job.sampler == earlier.sampler;
  for (const RequestRow& row : request_rows())
    if (row.kept_by_edits && (same_sampler || !row.of_sampler) && job.given.insert(row.name).second)
      copy_field(row, earlier, job);
}

// A name of a picture's text, or what stands for none.
std::string shown(const std::string& name) {
  return name.empty() ? "none" : std::string(utf8_prefix(name, kLongestShown));
}

// "PICTURE was drawn with refiner A, this run has B": empty where they are the same.
std::string other_part(const std::string& picture, const char* part, const std::string& drawn,
                       const std::string& ours) {
  if (drawn == ours) return "";
  return picture + " was drawn with " + part + " " + shown(drawn) + ", this run has " + shown(ours) +
         ": its layout may differ";
}

// As a picture's text lists ControlNets.
std::string semicolon_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ";") + name;
  return list;
}

std::size_t column_of_edit(const PromptLine& line) {
  for (const auto& [field, column] : line.columns)
    if (field->name == "edit-from") return column;
  return 1;
}

}  // namespace

std::vector<EarlierPicture> take_from_pictures(PromptFile& file) {
  std::map<std::string, PictureParameters> read;
  for (PromptLine& line : file.lines) {
    if (line.job.edit_picture.empty()) continue;
    try {
      const std::string& path = line.job.edit_picture;
      if (!read.contains(path)) read.emplace(path, read_picture(path));
      require_own_files(line.job, path, read.at(path).request);
      take_all(line.job, read.at(path).request);
    } catch (const Error& error) {
      if (line.line == 0) throw;
      file.errors.push_back({line.line, column_of_edit(line), error.what()});
    }
  }
  std::vector<EarlierPicture> pictures;
  for (const auto& [path, parameters] : read) pictures.push_back({path, parameters});
  return pictures;
}

std::string edit_warning(const EarlierPicture& earlier, const ModelInfo& model) {
  const PictureParameters& drawn = earlier.parameters;
  if (!drawn.model.empty() && drawn.model != model.name)
    return earlier.path + " was drawn by model " + drawn.model + ", this is " + model.name +
           ": its layout cannot be kept";
  if (drawn.loras != comma_list(model.loras) || drawn.embeddings != comma_list(model.embeddings))
    return earlier.path + " was drawn with other LoRAs or embeddings: its layout may differ";
  for (const std::string& text :
       {other_part(earlier.path, "--refiner", drawn.refiner, model.refiner),
        other_part(earlier.path, "--controlnet", drawn.controlnets, semicolon_list(model.controlnets))})
    if (!text.empty()) return text;
  if (drawn.steered)
    return earlier.path +
           " was steered by attend, focus or edit-from, which are not repeated: its layout may differ";
  if (drawn.dtype != model.dtype || drawn.quantize != model.quantize)
    return earlier.path + " was drawn in " + drawn.dtype +
           (drawn.quantize == "none" ? "" : " and " + drawn.quantize) + ", this run in " + model.dtype +
           ": its layout may differ a little";
  return "";
}

}  // namespace sdgen::cli
