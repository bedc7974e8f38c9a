#include "cli/options/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <optional>

#include "cli/options/completion.h"
#include "cli/options/config_file.h"
#include "cli/options/file_options.h"
#include "cli/options/flag_rows.h"
#include "cli/options/help.h"
#include "cli/options/model_list.h"
#include "cli/options/model_path.h"
#include "cli/options/nearest.h"
#include "cli/options/other_names.h"
#include "cli/options/output_names.h"
#include "cli/options/program_options.h"
#include "cli/options/refuse.h"
#include "cli/options/repeat_command.h"
#include "cli/options/sweep.h"
#include "sdgen/error.h"
#include "sdgen/hub_cache.h"

namespace sdgen::cli {
namespace {

std::vector<std::string> option_names(Command command) {
  std::vector<std::string> names = field_names();
  for (const ProgramOption& option : program_options())
    if (!option.only_bench || command == Command::kBench) names.emplace_back(option.name);
  return names;
}

void add_option(CLI::App& app, const FlagRow& row) {
  std::string names = "--" + row.name;
  if (!row.letter.empty()) names = "-" + row.letter + "," + names;
  if (!row.alias.empty()) names += ",--" + row.alias;
  CLI::Option* option = row.value.empty() ? app.add_flag(names)
                                          : app.add_option(names, [](const CLI::results_t&) { return true; });
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void add_options(CLI::App& app, Command command) {
  for (const FlagRow& row : flag_rows(command))
    if (row.name == "help")
      app.set_help_flag("--help,-h", "");
    else
      add_option(app, row);
}

void apply_config(Options& options, const std::string& path) {
  const auto known = option_names(options.command);
  for (const ConfigEntry& entry : read_config(path)) {
    const std::string place = path + ":" + std::to_string(entry.line) + ": ";
    if (std::find(known.begin(), known.end(), entry.key) == known.end())
      refuse(place + "unknown key " + entry.key + did_you_mean(entry.key, known));
    try {
      set_option(options, entry.key, entry.key, entry.value);
    } catch (const Error& error) {
      refuse(place + error.what());
    }
  }
}

// Repeated flags of these add up.
bool is_list(const std::string& name) {
  const RequestField* field = find_field(name);
  return name == "controlnet" || (field && field->is_list());
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ";") + value;
  return text;
}

// What a config file said; the flags that follow win.
void forget_list(Options& options, const std::string& name) {
  if (name == "sweep") options.sweep.clear();
  if (name == "lora") options.loras.clear();
  if (name == "embedding") options.embeddings.clear();
}

void apply_flags(Options& options, const CLI::App& app) {
  for (const CLI::Option* flag : app.get_options()) {
    const std::string name = flag->get_lnames().front();
    if (flag->count() == 0 || name == "config" || name == "help" || name == "version") continue;
    if (name == "prompt" && flag->count() > 1)
      refuse("--prompt is given " + std::to_string(flag->count()) +
             " times; use --prompt-file for several prompts");
    if (name == "seed" && flag->count() > 1) {
      std::string seeds;
      for (const std::string& seed : flag->results()) seeds += (seeds.empty() ? "" : ",") + seed;
      set_option(options, name, "--" + name, seeds);
    } else if (is_list(name)) {
      set_option(options, name, "--" + name, joined(flag->results()));
    } else if (name == "sweep" || name == "lora" || name == "embedding") {
      forget_list(options, name);
      for (const std::string& value : flag->results()) set_option(options, name, "--" + name, value);
    } else {
      set_option(options, name, "--" + name, flag->results().back());
    }
  }
  for (const auto& [one, other] : {std::pair("--prompt", "--prompt-file"), std::pair("--quiet", "--verbose")})
    if (app.count(one) > 0 && app.count(other) > 0)
      refuse(std::string(one) + " and " + other + " exclude each other");
}

const std::vector<std::string>& command_names() {
  static const std::vector<std::string> kNames = {"bench",   "convert", "generate", "help",
                                                  "inspect", "models",  "words"};
  return kNames;
}

// The one word that is left, if it is a prompt: `sd-gen "a cat"`.
std::optional<std::string> prompt_among(const std::vector<std::string>& left, bool has_prompt) {
  if (has_prompt || left.size() != 1 || left.front().starts_with("-") || left.front().empty())
    return std::nullopt;
  if (!nearest_name(left.front(), command_names()).empty()) return std::nullopt;  // a slip
  return left.front();
}

// What CLI11 knows no option for: a mistyped flag, or a prompt without --prompt or quotes.
void refuse_leftovers(const CLI::App& app, Command command) {
  const auto left = app.remaining();
  if (left.empty()) return;
  const auto is_flag = [](const std::string& each) { return each.starts_with("-") && each.size() > 1; };
  const auto flag_at = std::find_if(left.begin(), left.end(), is_flag);
  const std::string& word = flag_at == left.end() ? left.front() : *flag_at;
  if (word.starts_with("-") && word.size() > 1) {
    const std::string flag = word.substr(0, word.find('='));
    auto known = option_names(command);
    known.insert(known.end(), {"config", "help", "version"});
    const std::size_t name = flag.find_first_not_of('-');
    const std::string hint = name == std::string::npos ? "" : did_you_mean(flag.substr(name), known, "--");
    const std::string other = name == std::string::npos ? "" : flag_hint(flag.substr(name));
    refuse("unknown flag " + flag +
           (!other.empty() ? "; " + other
            : hint.empty() ? "; see sd-gen --help"
                           : hint));
  }
  if (word == "bench" || word == "generate" || is_file_command(word))
    refuse("the command comes first: sd-gen " + word + " [flags]");
  const std::string hint = did_you_mean(word, command_names(), "sd-gen ");
  refuse("unexpected word '" + word + "'" +
         (hint.empty() ? "; a prompt goes in quotes behind --prompt" : hint));
}

// CLI11 takes the next argument for the value of `--flag=`; an empty value is meant.
std::vector<std::string> split_empty_values(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (const std::string& argument : arguments) {
    const bool is_empty = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
    result.push_back(is_empty ? argument.substr(0, argument.size() - 1) : argument);
    if (is_empty) result.emplace_back();
  }
  return result;
}

// Returns false if --help ended it.
bool parse_words(CLI::App& app, std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // CLI11 reads from the back
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    return false;
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string message = error.what();  // "--steps: 1 required N missing"
    refuse(message.substr(0, message.find(':')) + " needs a value; see sd-gen --help");
  } catch (const CLI::ParseError& error) {
    refuse(error.what());
  }
  return true;
}

}  // namespace

void set_option(Options& options, const std::string& name, const std::string& shown,
                const std::string& text) {
  if (const ProgramOption* option = find_program_option(name)) {
    option->set(options, shown, text);
    if (option->name == "prompt-file") options.has_prompt = false;
    return;
  }
  const RequestField& field = *find_field(name);
  if (field.name == "seed" && text.find(',') != std::string::npos) {
    options.sweep.push_back(parse_sweep(shown, "seed=" + text));
    return;
  }
  set_field(options.job, field, shown, text);
  if (field.name == "output") check_output(options.job.output);
  if (field.name != "prompt") return;
  options.has_prompt = text != "-";
  options.prompt_file = options.has_prompt ? "" : "-";
  if (!options.has_prompt) options.job.prompt.clear();
}

namespace {

bool is_listing(const std::string& word) {
  return word == "help" || word == "models" || word == "words" || word == "man" || word == "completion";
}

// What `sd-gen help`, `models`, `words`, `man` and `completion` print; nothing is loaded for it.
std::string listing(std::vector<std::string> words) {
  const std::string command = words.front();
  words.erase(words.begin());
  const bool json = command == "models" && std::erase(words, "--json") > 0;
  const auto asks = [](const std::string& word) { return word == "-h" || word == "--help"; };
  if (std::any_of(words.begin(), words.end(), asks)) return full_help(Command::kGenerate, help_width());
  if (words.size() > (command == "models" || command == "man" ? 0U : 1U))
    refuse("sd-gen " + command + ": unexpected '" + words.back() + "'; see sd-gen --help");
  if (!words.empty() && words[0].starts_with("-")) refuse("unknown flag " + words[0] + "; see sd-gen --help");
  const std::string asked = words.empty() ? "" : words[0];
  if (command == "models") {
    const auto folders = model_folders();
    return models_text(found_models(folders), folders, json);
  }
  if (command == "man") return man_page();
  if (command == "completion") return completion(asked);
  if (command == "words") {
    const std::string name = chosen_model(asked);
    return words_text(name, hub_snapshot(find_model(name, model_folders())),
                      isatty(STDOUT_FILENO) != 0 ? help_width() : 0);
  }
  if (asked.empty()) return short_help(help_width());
  if (asked == "bench") return full_help(Command::kBench, help_width());
  if (is_file_command(asked)) {
    Options options;
    parse_file_command(options, {asked, "--help"});
    return options.message;
  }
  return topic_help(asked, help_width());
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  options.command_line = "sd-gen" + (arguments.empty() ? "" : " " + shell_line(arguments));
  if (!arguments.empty() && is_file_command(arguments[0])) {
    parse_file_command(options, arguments);
    return options;
  }
  if (!arguments.empty() && is_listing(arguments[0])) {
    options.message = listing(arguments);
    return options;
  }
  std::vector<std::string> words = split_empty_values(arguments);
  if (!words.empty() && (words[0] == "bench" || words[0] == "generate")) {
    if (words[0] == "bench") options.command = Command::kBench;
    words.erase(words.begin());
  }
  const bool is_bench = options.command == Command::kBench;
  CLI::App app("", "sd-gen");
  app.allow_extras();
  add_options(app, options.command);
  if (!parse_words(app, words)) {
    const bool is_short = !is_bench && std::find(words.begin(), words.end(), "--help") == words.end();
    options.message = is_short ? short_help(help_width()) : full_help(options.command, help_width());
    return options;
  }
  const bool has_prompt = app.count("--prompt") + app.count("--prompt-file") > 0;
  const std::optional<std::string> prompt = prompt_among(app.remaining(), has_prompt || is_bench);
  if (!prompt) refuse_leftovers(app, options.command);
  if (app.count("--version") > 0) {
    options.command = Command::kVersion;
    return options;
  }
  if (app.count("--config") > 0) apply_config(options, app["--config"]->results().back());
  apply_flags(options, app);
  if (prompt) set_option(options, "prompt", "--prompt", *prompt);
  combinations(options);  // refuses what cannot be swept
  if (!is_bench && !options.has_prompt && options.prompt_file.empty())
    refuse("nothing to draw; type for example: sd-gen --prompt \"three yellow balloons\"");
  return options;
}

}  // namespace sdgen::cli
