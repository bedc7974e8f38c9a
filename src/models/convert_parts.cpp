#include "models/convert_parts.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/input_file.h"
#include "base/leftovers.h"
#include "base/temporary_file.h"
#include "models/checkpoint.h"
#include "text/encoders/clip_text_encoder.h"
#include "text/tokenizers/vocabularies.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// What shapes do not tell, and what it is where a config is silent: diffusers' defaults.
struct Untold {
  const char* component;
  const char* key;
  Json otherwise;
};

const std::vector<Untold>& untold() {
  static const std::vector<Untold> kUntold = {
      {"unet", "attention_head_dim", 8},
      {"unet", "norm_num_groups", 32},
      {"unet", "norm_eps", 1e-5},
      {"unet", "act_fn", "silu"},
      {"unet", "flip_sin_to_cos", true},
      {"unet", "freq_shift", 0},
      {"unet", "downsample_padding", 1},
      {"unet", "mid_block_scale_factor", 1},
      {"unet", "resnet_time_scale_shift", "default"},
      {"unet", "center_input_sample", false},
      {"unet", "only_cross_attention", false},
      {"vae", "norm_num_groups", 32},
      {"vae", "act_fn", "silu"},
      {"vae", "scaling_factor", 0.18215},
      {"vae", "shift_factor", nullptr},
      {"vae", "latents_mean", nullptr},
      {"text_encoder", "hidden_act", "quick_gelu"},
      {"text_encoder", "num_attention_heads", 8},
      {"text_encoder", "layer_norm_eps", 1e-5},
      {"text_encoder_2", "hidden_act", "quick_gelu"},
      {"text_encoder_2", "num_attention_heads", 8},
      {"scheduler", "beta_start", 0.0001},
      {"scheduler", "beta_end", 0.02},
      {"scheduler", "beta_schedule", "linear"},
      {"scheduler", "prediction_type", "epsilon"},
      {"scheduler", "rescale_betas_zero_snr", false},
      {"scheduler", "num_train_timesteps", 1000},
      {"scheduler", "trained_betas", nullptr},
  };
  return kUntold;
}

Json value_of(const Json& config, const Untold& untold) {
  const auto found = config.find(untold.key);
  return found == config.end() ? untold.otherwise : *found;
}

fs::path config_path(const fs::path& folder, const std::string& component) {
  return folder / component / (component == "scheduler" ? "scheduler_config.json" : "config.json");
}

}  // namespace

FolderParts read_folder_parts(const fs::path& folder) {
  FolderParts parts;
  const Config index = Config::read(folder / "model_index.json");
  parts.configs["model_index"] = index.json;
  for (const std::string name :
       {"unet", "transformer", "vae", "text_encoder", "text_encoder_2", "scheduler"}) {
    const Json entry = index.json.value(name, Json());
    if (!entry.is_array() || entry.size() != 2 || entry[1].is_null()) continue;
    const bool is_text = name.starts_with("text_encoder");
    const Config config = Config::read(config_path(folder, name));
    parts.configs[name] = is_text ? clip_text_config(config).json : config.json;
    if (name != "scheduler")
      parts.components[name] = is_text ? open_text_files(folder / name)
                                       : open_model_files(folder / name, "diffusion_pytorch_model");
  }
  if (!parts.components.contains("unet") && !parts.components.contains("transformer"))
    fail_input(index.path.string(), ": component 'unet' is missing");
  return parts;
}

void require_tellable(const fs::path& folder, const FolderParts& parts, const TensorSource& original) {
  // The source is only looked at here, so that it need not be owned.
  const Checkpoint read = read_checkpoint({std::shared_ptr<const TensorSource>(), &original});
  for (const Untold& each : untold()) {
    const auto stored = parts.configs.find(each.component), told = read.configs.find(each.component);
    if (stored == parts.configs.end() || told == read.configs.end()) continue;
    const Json wanted = value_of(stored->second, each), found = value_of(told->second, each);
    if (wanted != found)
      fail_input(config_path(folder, each.component).string(), ": key '", each.key, "' is ", shown(wanted),
                 ", which one file cannot tell: it would be read as ", shown(found),
                 "; this model stays a folder");
  }
  const auto wanted = parts.configs.at("model_index").value("_class_name", "");
  if (wanted != read.pipeline_class)
    fail_input((folder / "model_index.json").string(), ": ", wanted,
               ", which one file cannot tell: it would be read as ", read.pipeline_class,
               "; this model stays a folder");
}

NewFolder::NewFolder(const fs::path& target, bool overwrite)
    : target_(target.has_filename() ? target : target.parent_path()), overwrite_(overwrite) {
  require_replaceable();
  const fs::path beside = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  sweep_leftovers(beside, fs::file_type::directory);
  path_ = beside / unfinished_name();
  std::error_code error;
  if (!fs::create_directory(path_, error)) fail_write(target_, error ? error.value() : EEXIST);
  in_work_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  mark_in_work(in_work_);
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!finished_) fs::remove_all(path_, ignored);
  if (in_work_ >= 0) ::close(in_work_);
}

void NewFolder::require_replaceable() const {
  std::error_code error;
  if (!fs::exists(target_, error)) return;
  if (!overwrite_) fail_exists(target_);
  if (!fs::exists(target_ / "model_index.json", error))
    fail_request(target_.string(),
                 ": is there and is no model's folder, so it is not overwritten; choose another name");
}

// Asks once more: another conversion may have been quicker.
void NewFolder::finish() {
  require_replaceable();
  std::error_code ignored;
  const int failed = fs::exists(target_, ignored) ? replace() : create();
  if (failed == EEXIST) fail_exists(target_);
  if (failed != 0) fail_write(target_, failed);
  finished_ = true;
}

int NewFolder::create() const {
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return errno;
  std::error_code error;
  fs::rename(path_, target_, error);
  return error.value();
}

// In one step where the file system knows how, so that there is a model by that name at any time.
int NewFolder::replace() const {
  std::error_code error, ignored;
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(path_, ignored);
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return errno;
  fs::path old = target_;  // a name that whoever misses the model would find
  old += concat(".", ::getpid(), ".old");
  fs::rename(target_, old, error);
  if (error) return error.value();
  fs::rename(path_, target_, error);
  if (error)
    fs::rename(old, target_, ignored);  // the model that was there stays
  else
    fs::remove_all(old, ignored);
  return error.value();
}

void write_json(const fs::path& path, const Json& json) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  TemporaryFile file(path);
  file.write(text.data(), text.size());
  file.flush_and_close();
  file.create();
}

void copy_tokenizer(const fs::path& from, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "added_tokens.json", "vocab.json", "merges.txt"})
    if (is_there(from / name) && !fs::copy_file(from / name, folder / name, error))
      fail_write(folder / name, error.value());
}

void write_clip_tokenizer(const fs::path& folder, const std::string& pad_token, int length) {
  const fs::path vocabulary = find_clip_vocabulary();
  std::error_code error;
  fs::create_directories(folder, error);
  for (const char* name : {"vocab.json", "merges.txt"})
    if (!fs::copy_file(vocabulary / name, folder / name, error)) fail_write(folder / name, error.value());
  const std::string begin = "<|startoftext|>", end = "<|endoftext|>";
  const Json special = {
      {"bos_token", begin}, {"eos_token", end}, {"unk_token", end}, {"pad_token", pad_token}};
  Json config = {{"tokenizer_class", "CLIPTokenizer"}, {"model_max_length", length}, {"do_lower_case", true}};
  config.update(special);
  write_json(folder / "special_tokens_map.json", special);
  write_json(folder / "tokenizer_config.json", config);
}

}  // namespace sdgen
