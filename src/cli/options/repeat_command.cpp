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
  for (const std::string& controlnet : options.controlnets) add("controlnet", controlnet);
  add("refiner", options.refiner);
  for (const std::string& lora : options.loras) add("lora", lora);
  for (const std::string& embedding : options.embeddings) add("embedding", embedding);
  Job own = job;
  own.seed = seed;
  for (const RequestRow& row : request_rows())
    if (row.repeats)
      for (const std::string& value : told_values(row, own, model)) add(std::string(row.name), value);
  if (model.guidance_rescale > 0 && job.guidance_rescale == 0.0) add("guidance-rescale", "0");
  add("edit-from", job.edit_picture);
  add("dtype", model.dtype);
  if (model.quantize != "none") add("quantize", model.quantize);
  return shell_line(words);
}

}  // namespace sdgen::cli
