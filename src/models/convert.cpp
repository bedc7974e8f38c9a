#include "sdgen/convert.h"

#include "base/input_file.h"
#include "compute/torch_errors.h"
#include "models/checkpoint.h"
#include "models/convert_parts.h"
#include "models/model.h"
#include "models/model_source.h"
#include "weights/edited_source.h"
#include "weights/formats/safetensors_stream.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"
#include "weights/original/original_names.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

using Source = std::shared_ptr<const TensorSource>;

std::optional<at::ScalarType> scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return at::kFloat;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kAuto:
      break;
  }
  return std::nullopt;
}

bool is_text(const std::string& component) {
  return component.starts_with("text_encoder");
}

// Where save_pretrained puts a component's weights.
fs::path weights_path(const fs::path& folder, const std::string& component) {
  return folder / component /
         (is_text(component) ? "model.safetensors" : "diffusion_pytorch_model.safetensors");
}

// An empty tensor by a name that other programs know as a mark.
class Mark : public TensorSource {
 public:
  explicit Mark(std::string name) : name_(std::move(name)), info_{at::kFloat, {0}, name_, name_} {}
  std::string describe() const override { return name_; }
  std::vector<std::string> keys() const override { return {name_}; }
  const TensorInfo* find(const std::string& key) const override { return key == name_ ? &info_ : nullptr; }
  at::Tensor read(const std::string&) const override { return at::empty({0}); }

 private:
  std::string name_;
  TensorInfo info_;
};

// `source` with what a file says of itself.
Source with_marks(const Source& source, const Json& scheduler) {
  std::vector<Source> parts = {source};
  if (scheduler.value("prediction_type", "epsilon") == "v_prediction")
    parts.push_back(std::make_shared<Mark>("v_pred"));
  if (scheduler.value("rescale_betas_zero_snr", false)) parts.push_back(std::make_shared<Mark>("ztsnr"));
  return join_sources(source->describe(), std::move(parts));
}

// Metadata by the modelspec standard; reading one file depends on them for Stable Diffusion 2.
class Described : public TensorSource {
 public:
  Described(Source source, Metadata metadata) : source_(std::move(source)), metadata_(std::move(metadata)) {}
  std::string describe() const override { return source_->describe(); }
  Metadata metadata() const override { return metadata_; }
  std::vector<std::string> keys() const override { return source_->keys(); }
  const TensorInfo* find(const std::string& key) const override { return source_->find(key); }
  at::Tensor read(const std::string& key) const override { return source_->read(key); }

 private:
  Source source_;
  Metadata metadata_;
};

Converted folder_to_file(const fs::path& from, const fs::path& to, const ConvertOptions& options) {
  const FolderParts parts = read_folder_parts(from);
  if (!parts.components.contains("unet"))
    fail_request(from.string(), ": a model without a UNet becomes no single file; name a folder");
  const auto text = parts.configs.find("text_encoder");
  const bool is_open_clip = text != parts.configs.end() && !parts.components.contains("text_encoder_2") &&
                            text->second.value("hidden_act", "quick_gelu") == "gelu";
  const auto scheduler = parts.configs.find("scheduler");
  const Json schedule = scheduler == parts.configs.end() ? Json::object() : scheduler->second;
  const bool is_v = schedule.value("prediction_type", "epsilon") == "v_prediction";
  const Source original = std::make_shared<Described>(
      with_marks(original_checkpoint(from.string(), parts.components, is_open_clip), schedule),
      Metadata{{"format", "pt"}, {"modelspec.prediction_type", is_v ? "v" : "epsilon"}});
  require_tellable(from, parts, *original);
  return {to, write_safetensors(to, *original, scalar_type(options.dtype), original->metadata(),
                                options.overwrite)};
}

// transformers 4 and 5 both read the names that 4 wrote.
Source as_saved(const std::string& component, const Source& source) {
  if (!is_text(component) || has_tensor(*source, "model.embed_tokens.weight")) return source;
  return rename_keys(source, [](const std::string& key) {
    return key.starts_with("text_projection.") ? key : "text_model." + key;
  });
}

// Whether model_index.json lists the component.
bool is_listed(const Config& index, const std::string& component) {
  return index.has(component) && !component_class(index, component).empty();
}

Converted file_to_folder(const fs::path& from, const fs::path& to, const ConvertOptions& options) {
  const ModelSource source = open_model_source({.model = from, .ema = options.ema, .parts = options.parts});
  NewFolder folder(to, options.overwrite);
  Converted converted{to, 0};
  Json index = source.index().json;
  for (const std::string component : {"unet", "transformer", "vae", "text_encoder", "text_encoder_2"}) {
    if (!is_listed(source.index(), component)) continue;
    const Config& config = source.config(component);
    if (config.has("_class_name")) index[component][1] = config.json.at("_class_name");
    write_json(folder.path() / component / "config.json", config.json);
    converted.bytes += write_safetensors(weights_path(folder.path(), component),
                                         *as_saved(component, source.weights(component)),
                                         scalar_type(options.dtype), {{"format", "pt"}}, /*overwrite=*/false);
    if (!is_text(component)) continue;
    const fs::path tokenizer =
        folder.path() / ("tokenizer" + component.substr(std::string("text_encoder").size()));
    if (has_tensor(*source.weights(component), "model.embed_tokens.weight"))
      copy_tokenizer(source.tokenizer_folder("tokenizer"), tokenizer);
    else
      write_clip_tokenizer(tokenizer, clip_pad_token(config.json), config.at<int>("max_position_embeddings"));
  }
  write_json(folder.path() / "scheduler" / "scheduler_config.json", source.config("scheduler").json);
  write_json(folder.path() / "model_index.json", index);
  folder.finish();
  return converted;
}

bool is_weights(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.find(".safetensors") != std::string::npos || (name + ".").find(".bin.") != std::string::npos ||
         path.extension() == ".ckpt" || path.extension() == ".pt" || path.extension() == ".msgpack";
}

// Links are followed where a download's cache has them (its files are links to blobs beside it) and a model
// shares parts with another: component folders that model_index.json names, and files of the kinds that a
// loader reads. What else a package links to (keys, home folders) is none of the model.
bool is_part_of_model(const fs::directory_entry& entry, int depth, const Json& index) {
  std::error_code error;
  const std::string name = entry.path().filename().string();
  if (entry.is_directory(error)) return !entry.is_symlink(error) || (depth == 0 && index.contains(name));
  if (entry.is_symlink(error)) {
    const std::string kind = entry.path().extension().string();
    return is_weights(entry.path()) || kind == ".json" || kind == ".txt" || kind == ".model";
  }
  return entry.is_regular_file(error);
}

Converted folder_to_folder(const fs::path& from, const fs::path& to, const ConvertOptions& options) {
  const FolderParts parts = read_folder_parts(from);
  std::error_code error;
  if (const fs::path inside = fs::weakly_canonical(to, error).lexically_relative(fs::canonical(from, error));
      !inside.empty() && *inside.begin() != "..")
    fail_request(to.string(), ": lies in the folder that is to be converted; choose another name");
  NewFolder folder(to, options.overwrite);
  const auto follow = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator entry(from, follow, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_part_of_model(*entry, entry.depth(), parts.configs.at("model_index"))) {
      entry.disable_recursion_pending();
      continue;
    }
    // By its name in the folder, never by where a link points: that may lie anywhere.
    const fs::path copy = folder.path() / entry->path().lexically_relative(from);
    if (entry->is_directory(error))
      fs::create_directories(copy, error);
    else if (!error && !is_weights(entry->path()))
      fs::copy_file(entry->path(), copy, error);
    if (error) fail_working(entry->path().string(), ": cannot be copied: ", error.message());
  }
  if (error) fail_working(from.string(), ": cannot be listed: ", error.message());
  Converted converted{to, 0};
  for (const auto& [name, source] : parts.components)
    converted.bytes += write_safetensors(weights_path(folder.path(), name), *source,
                                         scalar_type(options.dtype), {{"format", "pt"}}, /*overwrite=*/false);
  folder.finish();
  return converted;
}

Converted convert(const fs::path& from, const fs::path& to, const ConvertOptions& options) {
  if (!is_there(from)) fail_input(from.string(), ": no such file or folder");
  const bool to_file = to.extension() == ".safetensors";
  if (!to_file && (to.extension() == ".ckpt" || to.extension() == ".pt" || to.extension() == ".bin"))
    fail_request(to.string(), ": pickles are read but not written; name a .safetensors file or a folder");
  std::error_code error;
  if (fs::equivalent(from, to, error))
    fail_request(to.string(), ": is what is to be converted; choose another name");
  if (!options.parts.empty() && (is_folder(from) || to_file))
    fail_request(options.parts.begin()->second.string(),
                 ": parts from elsewhere go with a checkpoint that becomes a folder");
  if (is_folder(from))
    return to_file ? folder_to_file(from, to, options) : folder_to_folder(from, to, options);
  if (!to_file) return file_to_folder(from, to, options);
  if (options.ema) fail_request("--ema: goes with a folder as the output");
  const Source source = open_weights_file(from);
  return {to,
          write_safetensors(to, *source, scalar_type(options.dtype), source->metadata(), options.overwrite)};
}

}  // namespace

Converted convert_model(const fs::path& from, const fs::path& to, const ConvertOptions& options) {
  return with_plain_errors([&] { return convert(from, to, options); });
}

}  // namespace sdgen
