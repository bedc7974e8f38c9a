#include "cli/options/repeat_command.h"

#include <algorithm>

namespace sdgen::cli {
namespace {

bool is_plain(char c) {
  const bool is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return is_name || std::string_view("-_./:=,+%@").find(c) != std::string_view::npos;
}

std::string shell_word(const std::string& word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + shell_word(word);
  return line;
}

std::string repeat_command(const Job& job, std::uint64_t seed, const ModelInfo& model,
                           const Options& options) {
  std::vector<std::string> words = {"sd-gen", "--prompt=" + job.prompt};
  const auto add = [&](const std::string& flag, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {"--" + flag, value});
  };
  if (!job.negative_prompt.empty()) words.push_back("--negative-prompt=" + job.negative_prompt);
  add("model", options.model.empty() ? model.name : options.model);
  for (const auto& [component, path] : options.parts) {
    std::string flag = component;
    std::replace(flag.begin(), flag.end(), '_', '-');
    add(flag, path);
  }
  if (options.ema) words.push_back("--ema");
  add("seed", std::to_string(seed));
  add("steps", std::to_string(*job.steps));
  add("guidance-scale", number_text(*job.guidance_scale));
  add("sampler", *job.sampler);
  add("schedule", job.schedule.value_or(""));
  if (job.eta > 0) add("eta", number_text(job.eta));
  add("prediction-type", job.prediction_type.value_or(""));
  add("timestep-spacing", job.timestep_spacing.value_or(""));
  if (job.zero_snr) add("zero-snr", *job.zero_snr ? "true" : "false");
  add("width", std::to_string(*job.width));
  add("height", std::to_string(*job.height));
  if (*job.guidance_rescale > 0 || model.guidance_rescale > 0)
    add("guidance-rescale", number_text(*job.guidance_rescale));
  add("init-image", job.init_image.value_or(""));
  add("mask", job.mask.value_or(""));
  if (job.strength) add("strength", number_text(*job.strength));
  for (const std::string& controlnet : options.controlnets) add("controlnet", controlnet);
  for (const std::string& file : job.control_image) add("control-image", file);
  const auto add_numbers = [&](const std::string& flag, const std::vector<double>& numbers) {
    for (const double number : numbers) add(flag, number_text(number));
  };
  add_numbers("control-scale", job.control_scale);
  add_numbers("control-start", job.control_start);
  add_numbers("control-end", job.control_end);
  if (model.takes_picture) add("image-guidance-scale", number_text(*job.image_guidance_scale));
  add("refiner", options.refiner);
  if (!options.refiner.empty()) add("refiner-start", number_text(job.refiner_start));
  for (const std::string& lora : options.loras) add("lora", lora);
  for (const std::string& embedding : options.embeddings) add("embedding", embedding);
  add("attend", attend_text(job.attend));
  add("focus", focus_text(job.focus));
  add("edit-from", job.edit_picture);
  add("dtype", model.dtype);
  if (model.quantize != "none") add("quantize", model.quantize);
  return shell_line(words);
}

}  // namespace sdgen::cli
