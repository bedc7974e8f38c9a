#include "cli/options/file_options.h"

#include <algorithm>
#include <array>

#include "cli/options/nearest.h"
#include "cli/options/program_options.h"
#include "cli/options/refuse.h"
#include "cli/options/values.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

const char kInspectHelp[] =
    "sd-gen inspect tells what a file or folder is, from its headers alone.\n\n"
    "  sd-gen inspect PATH [--json]\n\n"
    "PATH: a model's folder or name, a checkpoint (.safetensors, .ckpt), a LoRA, an embedding, a ControlNet, "
    "an "
    "adapter,\n"
    "a VAE, or a picture that carries its parameters. Nothing in a .ckpt is ever run.\n\n"
    "  --json                          one JSON object on standard output\n"
    "  --quiet                         errors only\n"
    "  --help,-h                       this text\n";

const char kConvertHelp[] =
    "sd-gen convert writes a model in another form.\n\n"
    "  sd-gen convert FOLDER FILE.safetensors   a diffusers folder as one file under the original names\n"
    "  sd-gen convert FILE FOLDER               a checkpoint (.safetensors, .ckpt) as a diffusers folder\n"
    "  sd-gen convert FILE FILE.safetensors     the same tensors in another format or dtype\n"
    "  sd-gen convert FOLDER FOLDER             the same model in another dtype\n\n"
    "  --dtype NAME                    float32, bfloat16 or float16 [as stored]\n"
    "  --ema                           of a training checkpoint: the running mean of the UNet's weights\n"
    "  --vae, --unet, --text-encoder, --text-encoder-2 PATH\n"
    "                                  FILE FOLDER: that component from elsewhere, e.g. one that FILE lacks\n"
    "  --overwrite                     replace what exists\n"
    "  --json                          print JSON on standard output\n"
    "  --quiet                         errors only\n"
    "  --help,-h                       this text\n";

struct FileCommand {
  const char* name;
  Command command;
  std::size_t paths;
  const char* needs;
  const char* help;
  std::vector<std::string> flags;
};

const std::vector<FileCommand>& file_commands() {
  static const std::vector<FileCommand> kCommands = {
      {"inspect", Command::kInspect, 1, "a path", kInspectHelp, {"json", "quiet", "log-level"}},
      {"convert",
       Command::kConvert,
       2,
       "a path to read and a path to write",
       kConvertHelp,
       {"dtype", "ema", "vae", "unet", "text-encoder", "text-encoder-2", "overwrite", "json", "quiet",
        "log-level"}}};
  return kCommands;
}

// Sets the flag at words[at] and returns the index of its last word.
std::size_t set_flag(Options& options, const FileCommand& command, const std::vector<std::string>& words,
                     std::size_t at) {
  const std::string& word = words[at];
  const std::size_t equals = word.find('=');
  const std::string shown = word.substr(0, equals), name = shown.substr(2);
  if (std::find(command.flags.begin(), command.flags.end(), name) == command.flags.end()) {
    const std::string hint = did_you_mean(name, command.flags, "--");
    refuse("unknown flag " + shown +
           (hint.empty() ? "; see sd-gen " + std::string(command.name) + " --help" : hint));
  }
  const ProgramOption* const option = find_program_option(name);
  const bool is_switch = !option || option->value.empty();
  std::string text = equals == std::string::npos ? "true" : word.substr(equals + 1);
  if (!is_switch && equals == std::string::npos) {
    if (++at == words.size())
      refuse(shown + " needs a value; see sd-gen " + std::string(command.name) + " --help");
    text = words[at];
  }
  if (option)
    option->set(options, shown, text);
  else
    parse_value(shown, text, options.ema);
  return at;
}

}  // namespace

bool is_file_command(const std::string& word) {
  const auto& commands = file_commands();
  return std::any_of(commands.begin(), commands.end(),
                     [&](const FileCommand& each) { return word == each.name; });
}

void parse_file_command(Options& options, const std::vector<std::string>& words) {
  const auto& commands = file_commands();
  const FileCommand& command = *std::find_if(commands.begin(), commands.end(),
                                             [&](const FileCommand& each) { return words[0] == each.name; });
  options.command = command.command;
  bool only_paths = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (only_paths || !words[i].starts_with("-") || words[i] == "-") {
      options.paths.push_back(words[i]);
    } else if (words[i] == "--help" || words[i] == "-h") {
      options.message = command.help;
      return;
    } else if (words[i] == "--") {
      only_paths = true;
    } else if (!words[i].starts_with("--")) {
      refuse("unknown flag " + words[i] + "; see sd-gen " + command.name + " --help");
    } else {
      i = set_flag(options, command, words, i);
    }
  }
  if (options.paths.size() != command.paths)
    refuse("sd-gen " + words[0] + " needs " + command.needs + ", got " +
           std::to_string(options.paths.size()) + " paths; see sd-gen " + words[0] + " --help");
}

}  // namespace sdgen::cli
