#include "models/adapters.h"

#include <algorithm>
#include <cmath>

#include "models/inspect_parts.h"
#include "weights/adapters/appended_rows.h"
#include "weights/adapters/embedding_file.h"
#include "weights/adapters/lora.h"

namespace sdgen {
namespace {

using ComponentTensors = std::map<std::string, std::shared_ptr<const TensorSource>>;

constexpr std::size_t kMaxNamed = 10;
constexpr std::size_t kLongestWord = 1000;  // bytes

ComponentTensors components_of(const Model& model) {
  ComponentTensors components = {{model.denoiser, model.source.weights(model.denoiser)}};
  for (const std::string& encoder : model.text->encoders())
    components[encoder] = model.source.weights(encoder);
  return components;
}

std::string model_kind(const Model& model) {
  const ClipTextModel* const clip = model.clip_text();
  const std::string family = clip ? family_of_words(clip->width()) : "";
  return family.empty() ? model.family : family;
}

// "; it is for Stable Diffusion XL, NAME is a Stable Diffusion 1.x", where both are known and differ.
std::string other_family(const LoraFile& file, const Model& model) {
  Inspection inspection;
  inspect_lora(*file.tensors, inspection);
  const std::string kind = model_kind(model);
  if (inspection.family.empty() || inspection.family == kind) return "";
  return concat("; by its shapes it is for ", inspection.family, ", ", model.name, " is a ", kind);
}

void add_warnings(const LoraFile& file, const std::vector<std::string>& unmatched,
                  std::vector<std::string>& warnings) {
  for (std::size_t i = 0; i < unmatched.size(); ++i) {
    if (i == kMaxNamed) {
      warnings.push_back(concat(file.path, ": and ", unmatched.size() - i, " more"));
      return;
    }
    warnings.push_back(concat(file.path, ": '", unmatched[i], "' fits nothing in the model; it is left out"));
  }
}

void match_file(const Adapter& adapter, const Model& model, const ComponentTensors& components,
                std::map<std::string, LoraChanges>& changes, std::vector<std::string>& warnings) {
  if (!std::isfinite(adapter.scale)) fail_request(adapter.path.string(), ": a LoRA's scale must be finite");
  const auto file = std::make_shared<const LoraFile>(open_lora(adapter.path));
  std::vector<std::string> unmatched;
  try {
    unmatched = match_lora(file, adapter.scale, components, changes);
  } catch (const Error& error) {
    throw Error(error.kind(), error.what() + other_family(*file, model));
  }
  if (unmatched.size() == file->modules.size() + file->unknown.size())
    fail_input(file->path, ": nothing in it fits ", model.name, " (", model_kind(model), "), e.g. '",
               unmatched.back(), "'", other_family(*file, model));
  add_warnings(*file, unmatched, warnings);
}

void add_loras(Model& model, const std::vector<Adapter>& loras) {
  if (loras.empty()) return;
  const ComponentTensors components = components_of(model);
  std::map<std::string, LoraChanges> changes;
  for (const Adapter& lora : loras) match_file(lora, model, components, changes, model.warnings);
  for (const auto& [component, of_component] : changes)
    model.source.replace_weights(component, with_loras(model.source.weights(component), of_component));
}

// The text encoder that `part` is for.
ClipText& text_of(const EmbeddingFile& file, const EmbeddingVectors& part, const Model& model) {
  std::vector<std::string> widths;
  ClipTextModel* const clip = model.clip_text();
  if (!clip) fail_input(file.path, ": ", model.name, " takes no embeddings: its words are not read by CLIP");
  for (ClipText& text : clip->texts) {
    const bool is_named = part.component.empty() || part.component == text.encoder;
    if (is_named && text.config.hidden_size == part.vectors.size(1)) return text;
    widths.push_back(concat(text.encoder, " ", text.config.hidden_size));
  }
  fail_input(file.path, ": tensor '", part.key, "' holds vectors of ", part.vectors.size(1), " numbers",
             part.component.empty() ? "" : " for a " + part.component, ", those of ", model.name,
             " have: ", join(widths), "; the embedding is for another family of models");
}

bool has_capitals(const std::string& token) {
  return std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

void add_embedding(Model& model, const Embedding& embedding) {
  const EmbeddingFile file = read_embedding(embedding.path);
  const std::string token = embedding.token.empty() ? file.token : embedding.token;
  if (token.size() > kLongestWord)  // it is spelled out once a vector
    fail_input(file.path, ": its word has ", token.size(), " bytes (limit ", kLongestWord,
               "); name another, FILE:TOKEN");
  if (has_capitals(token) && file.parts.front().vectors.size(0) > 1)
    model.warnings.push_back(
        concat(file.path, ": '", token, "' has capitals: as in diffusers, only the first of its ",
               file.parts.front().vectors.size(0), " vectors is used; name it in small letters, ",
               "FILE:token, for all of them"));
  for (const EmbeddingVectors& part : file.parts) {
    ClipText& text = text_of(file, part, model);
    const std::int64_t count = part.vectors.size(0);
    text.new_words.push_back(
        {token, static_cast<int>(text.config.vocab_size), static_cast<int>(count), file.path});
    text.config.vocab_size += count;
    model.source.replace_weights(
        text.encoder,
        append_rows(model.source.weights(text.encoder), "embeddings.token_embedding.weight", part.vectors));
  }
}

}  // namespace

void add_adapters(Model& model, const ModelFiles& files) {
  add_loras(model, files.loras);
  for (const Embedding& embedding : files.embeddings) add_embedding(model, embedding);
  if (!files.loras.empty() || !files.embeddings.empty()) model.taught = {};  // they teach others
}

std::string adapter_text(const Adapter& adapter) {
  const std::filesystem::path whole = std::filesystem::weakly_canonical(adapter.path);
  const bool is_folder = std::filesystem::is_directory(whole);
  return concat((is_folder ? whole.filename() : whole.stem()).string(), ":", number_text(adapter.scale));
}

std::vector<std::string> embedding_tokens(const Model& model) {
  std::vector<std::string> tokens;
  const ClipTextModel* const clip = model.clip_text();
  if (!clip) return tokens;
  for (const ClipText& text : clip->texts)
    for (const NewWord& word : text.new_words)
      if (std::find(tokens.begin(), tokens.end(), word.token) == tokens.end()) tokens.push_back(word.token);
  return tokens;
}

}  // namespace sdgen
