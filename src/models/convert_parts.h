// The pieces that convert_model() is made of.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/json_file.h"
#include "sdgen/convert.h"
#include "weights/tensor_source.h"

namespace sdgen {

// What a diffusers folder holds, by component.
struct FolderParts {
  std::map<std::string, std::shared_ptr<const TensorSource>> components;  // weights, as stored
  std::map<std::string, Json> configs;  // config.json, scheduler, model_index
};

FolderParts read_folder_parts(const std::filesystem::path& folder);

// Throws Error(kInput) if one file with these weights would be read as another model than the folder is.
void require_tellable(const std::filesystem::path& folder, const FolderParts& parts,
                      const TensorSource& original);

// A folder that takes its name only when it is complete; otherwise nothing is left.
class NewFolder {
 public:
  // Throws Error(kRequest) if `target` is there and is not to be overwritten, or is no model's folder. What a
  // process that was killed left in the same place is removed.
  NewFolder(const std::filesystem::path& target, bool overwrite);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Gives it its name. Throws Error(kWorking) if that fails, Error(kRequest) if something else has taken the
  // name in the meantime; what stood there before stays.
  void finish();

 private:
  void require_replaceable() const;
  int create() const;   // 0 or an errno
  int replace() const;  // 0 or an errno

  const std::filesystem::path target_;
  const bool overwrite_;
  std::filesystem::path path_;
  int in_work_ = -1;
  bool finished_ = false;
};

// Writes `json` to a new file.
void write_json(const std::filesystem::path& path, const Json& json);

// The files of a tokenizer, as far as they are there.
void copy_tokenizer(const std::filesystem::path& from, const std::filesystem::path& folder);

// A CLIP tokenizer's folder from the vocabulary (text/tokenizers/vocabularies.h), padded with `pad_token` to
// `length`.
void write_clip_tokenizer(const std::filesystem::path& folder, const std::string& pad_token, int length);

}  // namespace sdgen
