#include "cli/options/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>

#include "cli/options/config_file.h"
#include "cli/options/file_options.h"
#include "cli/options/nearest.h"
#include "cli/options/output_names.h"
#include "cli/options/output_pattern.h"
#include "cli/options/program_options.h"
#include "cli/options/refuse.h"
#include "cli/options/repeat_command.h"
#include "cli/options/sweep.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

const char kGroup[] = "More";

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }
  std::string make_description(const CLI::App* app) const override { return app->get_description() + "\n\n"; }
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    return CLI::Formatter::make_group(std::move(group), is_positional, std::move(options)).substr(1);
  }
  std::string make_usage(const CLI::App*, std::string) const override { return ""; }
  std::string make_option_desc(const CLI::Option* option) const override { return option->get_description(); }
};

const char kGenerateHelp[] =
    "sd-gen draws pictures from words.\n\n"
    "  sd-gen --prompt \"three yellow balloons\"                writes sd-gen-SEED.png and prints its name\n"
    "  sd-gen --prompt-file prompts.txt -o pictures/          one prompt a line, each with its own flags\n"
    "  sd-gen bench [flags]                                   speed and memory of every stage; see sd-gen "
    "bench --help\n"
    "  sd-gen inspect PATH                                    what a model, LoRA, checkpoint or picture is\n"
    "  sd-gen convert FROM TO                                 a model as one file, as a folder, in another "
    "dtype";

const char kBenchHelp[] =
    "sd-gen bench measures every stage of drawing and writes no picture.\n\n"
    "  sd-gen bench [flags of sd-gen] [--repetitions N] [--warmup N] [--json]\n"
    "  sd-gen bench --json > old.json; sd-gen bench --compare old.json     ratios new / old\n"
    "  sd-gen bench --sweep dtype=float32,bfloat16 --sweep size=64,96x64   a row a combination";

const char kBenchFooter[] =
    "Values in [] are the defaults.\n"
    "GFLOP are 10^9 multiplications and additions, counted as the direct method needs them: Winograd\n"
    "convolutions do with fewer and may pass 100% of the peak, which is the best of a few large matrix\n"
    "products and convolutions in libtorch's own libraries, measured on the spot. Operators are timed in\n"
    "one run of their own after the measured ones. Joules are those of all processor packages (RAPL),\n"
    "whatever program used them; the counters are for root to read on most systems.";

std::string generate_footer() {
  std::string fields;
  for (const std::string& name : output_field_names()) fields += " {" + name + "}";
  return "Values in [] are the defaults.\n"
         "--output fields:" +
         fields +
         ";\n"
         "{index} counts the run's pictures from 1. A plain x.png for several pictures becomes x-1.png, "
         "x-2.png, ...\n"
         "--output - writes one picture to standard output, a PNG.\n"
         "A line of a prompt file: a cat --seed 7 --negative-prompt \"dark, blurry\"; lines that begin with "
         "# are comments.\n"
         "--prompt - reads such lines from standard input and draws each when it is there. With --grid, "
         "--report,\n"
         "--attention-maps or --sweep, or where all lines are there at once, it begins when the last has "
         "come.\n"
         "It ends early (code 1) where nobody reads its standard output any more.\n"
         "Models are looked for in $SDGEN_MODELS (folders with : between them), then among the built-in "
         "ones.\n"
         "Exit codes: 0 done, 1 failed while working, 2 wrong request, 3 model or input file missing or "
         "damaged,\n"
         "4 some pictures of several failed, 130 interrupted (finished pictures are kept).";
}

std::vector<std::string> option_names(Command command) {
  std::vector<std::string> names = field_names();
  for (const ProgramOption& option : program_options())
    if (!option.only_bench || command == Command::kBench) names.emplace_back(option.name);
  return names;
}

// Accepted by bench, so that generate's command lines can be reused, but without effect or refused there.
bool is_hidden(std::string_view name, Command command) {
  constexpr std::array kForFiles = {"prompt-file",    "count",     "output",           "overwrite",
                                    "grid",           "report",    "preview",          "preview-file",
                                    "attention-maps", "edit-from", "attention-detail", "quality"};
  return command == Command::kBench && std::find(kForFiles.begin(), kForFiles.end(), name) != kForFiles.end();
}

void add_option(CLI::App& app, std::string names, std::string_view letter, std::string_view group,
                std::string_view value, const std::string& help) {
  if (!letter.empty()) names = "-" + std::string(letter) + "," + names;
  CLI::Option* option = value.empty() ? app.add_flag(names)->description(help)
                                      : app.add_option(
                                            names, [](const CLI::results_t&) { return true; }, help);
  option->group(std::string(group))->type_name(std::string(value));
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

// A list that is too long for a terminal's line, broken behind commas; CLI11 indents what follows.
std::string in_lines(std::string list) {
  constexpr std::size_t kWidth = 80;
  for (std::size_t begin = 0; list.size() - begin > kWidth;) {
    const std::size_t comma = list.rfind(", ", begin + kWidth);
    if (comma == std::string::npos || comma <= begin) break;
    list[comma + 1] = '\n';
    begin = comma + 2;
  }
  return list;
}

void add_options(CLI::App& app, Command command) {
  for (const RequestField& field : request_fields()) {
    std::string names = "--" + std::string(field.name);
    if (!field.alias.empty()) names += ",--" + std::string(field.alias);
    std::string help(field.help);
    if (field.name == "sampler") help = in_lines(comma_list(sampler_names()) + " [the model's own]");
    if (field.name == "schedule")
      help = "how sigmas are spread: " + comma_list(schedule_names()) + " [the model's own]";
    add_option(app, names, field.letter, is_hidden(field.name, command) ? "" : field.group, field.value,
               help);
  }
  for (const ProgramOption& option : program_options())
    if (!option.only_bench || command == Command::kBench)
      add_option(app, "--" + std::string(option.name), option.letter,
                 is_hidden(option.name, command) ? "" : option.group, option.value, std::string(option.help));
  add_option(app, "--config", "", kGroup, "FILE", "flags as key = value lines (TOML); the command line wins");
  app.set_help_flag("--help,-h", "this text")->group(kGroup);
  add_option(app, "--version", "", kGroup, "", "versions of sd-gen and its libraries");
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
    if (is_list(name)) {
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

// What CLI11 knows no option for: a mistyped flag, or a prompt without --prompt or quotes.
void refuse_leftovers(const CLI::App& app, Command command) {
  const auto left = app.remaining();
  if (left.empty()) return;
  const std::string& word = left.front();
  if (word.starts_with("-") && word.size() > 1) {
    const std::string flag = word.substr(0, word.find('='));
    auto known = option_names(command);
    known.insert(known.end(), {"config", "help", "version"});
    const std::size_t name = flag.find_first_not_of('-');
    const std::string hint = name == std::string::npos ? "" : did_you_mean(flag.substr(name), known, "--");
    refuse("unknown flag " + flag + (hint.empty() ? "; see sd-gen --help" : hint));
  }
  if (word == "bench" || word == "generate" || is_file_command(word))
    refuse("the command comes first: sd-gen " + word + " [flags]");
  refuse("unexpected word '" + word + "'; a prompt goes in quotes behind --prompt");
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
  set_field(options.job, field, shown, text);
  if (field.name == "output") check_output(options.job.output);
  if (field.name != "prompt") return;
  options.has_prompt = text != "-";
  options.prompt_file = options.has_prompt ? "" : "-";
  if (!options.has_prompt) options.job.prompt.clear();
}

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  options.command_line = "sd-gen" + (arguments.empty() ? "" : " " + shell_line(arguments));
  if (!arguments.empty() && is_file_command(arguments[0])) {
    parse_file_command(options, arguments);
    return options;
  }
  std::vector<std::string> words = split_empty_values(arguments);
  if (!words.empty() && (words[0] == "bench" || words[0] == "generate")) {
    if (words[0] == "bench") options.command = Command::kBench;
    words.erase(words.begin());
  }
  const bool is_bench = options.command == Command::kBench;
  CLI::App app(is_bench ? kBenchHelp : kGenerateHelp, "sd-gen");
  app.formatter(std::make_shared<HelpFormatter>());
  app.allow_extras();
  add_options(app, options.command);
  app.footer(is_bench ? kBenchFooter : generate_footer());
  if (!parse_words(app, words)) {
    options.message = app.help();
    return options;
  }
  refuse_leftovers(app, options.command);
  if (app.count("--version") > 0) {
    options.command = Command::kVersion;
    return options;
  }
  if (app.count("--config") > 0) apply_config(options, app["--config"]->results().back());
  apply_flags(options, app);
  combinations(options);  // refuses what cannot be swept
  if (!is_bench && !options.has_prompt && options.prompt_file.empty())
    refuse("nothing to draw; type for example: sd-gen --prompt \"three yellow balloons\"");
  return options;
}

}  // namespace sdgen::cli
