#include "cli/options/help.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "cli/options/flag_rows.h"
#include "cli/options/nearest.h"
#include "cli/options/output_pattern.h"
#include "cli/options/refuse.h"

namespace sdgen::cli {
namespace {

constexpr std::size_t kNarrowest = 40, kWidest = 120, kUsual = 80;
constexpr std::size_t kColumn = 32;       // where the flags' texts begin
constexpr std::size_t kNarrowColumn = 6;  // ... below the flag, where there is no room beside it
constexpr std::size_t kLeastOfText = 36, kLeastOfRecipe = 22;

using Recipes = std::vector<std::pair<std::string, std::string>>;  // command, what it does

const Recipes& draw_recipes() {
  static const Recipes kRecipes = {
      {"sd-gen -p \"three yellow balloons\"", "writes sd-gen-SEED.png and prints its name"},
      {"sd-gen --prompt-file prompts.txt -o pictures/", "one prompt per line, each with its own flags"},
      {"sd-gen bench [flags]", "speed and memory of every stage; see sd-gen bench --help"},
      {"sd-gen inspect PATH", "what a model, LoRA, checkpoint or picture is"},
      {"sd-gen convert FROM TO", "a model as one file, as a folder, in another dtype"},
      {"sd-gen models", "the models that are found by name"},
      {"sd-gen words [MODEL]", "the words that a small model was taught"},
      {"sd-gen help [TOPIC]", "one group of the flags below; topics: see sd-gen help"}};
  return kRecipes;
}

const Recipes& first_recipes() {
  static const Recipes kRecipes = {
      {"sd-gen -p \"three yellow balloons\" -o balloons.png", "draw one picture"},
      {"sd-gen --prompt-file prompts.txt -o pictures/", "draw one per line of a file"},
      {"sd-gen -p \"a red cat\" --init-image dog.png", "start from a picture"},
      {"sd-gen -p \"a castle\" -m ~/models/sd15 --steps 25", "draw with another model"},
      {"sd-gen words", "what the built-in model was taught to draw"}};
  return kRecipes;
}

const Recipes& bench_recipes() {
  static const Recipes kRecipes = {
      {"sd-gen bench [flags of sd-gen] [--repetitions N] [--warmup N] [--json]", ""},
      {"sd-gen bench --json > old.json; sd-gen bench --compare old.json", "ratios new / old"},
      {"sd-gen bench --sweep dtype=float32,bfloat16 --sweep size=64,96x64", "one row per combination"}};
  return kRecipes;
}

// "  left   right", the right part in lines of its own column, or below where there is no room.
std::string in_columns(const std::string& left, const std::string& right, std::size_t width,
                       std::size_t column, std::size_t least = kLeastOfText) {
  std::string text = "  " + left;
  if (right.empty()) return text + "\n";
  const bool is_narrow = width < column + least;
  const std::size_t at = is_narrow ? kNarrowColumn : column;
  if (is_narrow || text.size() + 2 > at)
    text += "\n" + std::string(at, ' ');
  else
    text.resize(at, ' ');
  return text + wrapped(right, width - at, at) + "\n";
}

std::string recipe_text(const Recipes& recipes, std::size_t width) {
  std::size_t longest = 0;
  for (const auto& [command, what] : recipes) longest = std::max(longest, command.size());
  std::string text;
  for (const auto& [command, what] : recipes)
    text += in_columns(command, what, width, longest + 4, kLeastOfRecipe);
  return text;
}

std::string group_text(const std::vector<FlagRow>& rows, const std::string& group, std::size_t width) {
  std::string text = wrapped(group + ":", width) + "\n";
  for (const FlagRow& row : rows)
    if (row.group == group) text += in_columns(row.shown(), row.help, width, kColumn);
  return text;
}

std::string generate_footer() {
  std::string fields;
  for (const std::string& name : output_field_names()) fields += " {" + name + "}";
  return "Values in [] are the defaults.\n"
         "--output fields:" +
         fields +
         "; {index} counts the run's pictures from 1. A plain x.png for several pictures becomes x-1.png, "
         "x-2.png, ... --output - writes one picture to standard output, a PNG.\n"
         "A line of a prompt file: a cat --seed 7 --negative-prompt \"dark, blurry\". Lines that begin with "
         "# "
         "are comments.\n"
         "Models are looked for in $SDGEN_MODELS (folders with : between them), then among the built-in "
         "ones.\n"
         "Exit codes: 0 done, 1 failed while working, 2 wrong request, 3 model or input file missing or "
         "damaged, 4 some pictures of several failed, 130 interrupted (finished pictures are kept).";
}

const char kBenchFooter[] =
    "Values in [] are the defaults.\n"
    "GFLOP are 10^9 multiplications and additions, counted as the direct method needs them: Winograd "
    "convolutions do with fewer and may pass 100% of the peak, which is the best of a few large matrix "
    "products and convolutions in libtorch's own libraries, measured on the spot. Operators are timed in one "
    "run of their own after the measured ones. Joules are those of all processor packages (RAPL), whatever "
    "program used them; on most systems only root may read the counters.";

// "Which word paints what" -> "word": the shortest name that people would try.
std::string topic_of(const std::string& group) {
  static const std::vector<std::pair<std::string, std::string>> kTopics = {
      {"What to draw", "what"},
      {"How to draw it", "how"},
      {"A picture to start from", "start"},
      {"Pictures that steer (repeated flags add up)", "control"},
      {"Which word paints what", "words"},
      {"Output", "output"},
      {"Model and machine", "model"},
      {"Messages (on standard error)", "messages"},
      {"More", "more"}};
  for (const auto& [known, topic] : kTopics)
    if (known == group) return topic;
  return group;
}

}  // namespace

std::size_t help_width() {
  std::size_t columns = kUsual;
  winsize size = {};
  if (isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    columns = size.ws_col;
  else if (const char* const told = std::getenv("COLUMNS"); told && std::atoi(told) > 0)
    columns = static_cast<std::size_t>(std::atoi(told));
  return std::clamp(columns, kNarrowest, kWidest);
}

std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t column = 0;  // of the line so far, without the indent
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (column > 0 && column + 1 + word.size() > width) {
      result += "\n" + std::string(indent, ' ');
      column = 0;
    }
    if (column > 0) result += " ", ++column;
    result += word;
    column += word.size();
    if (end < text.size() && text[end] == '\n') {
      result += "\n" + std::string(indent, ' ');
      column = 0;
    }
    begin = end + 1;
  }
  return result;
}

std::string full_help(Command command, std::size_t width) {
  const bool is_bench = command == Command::kBench;
  std::string text = wrapped(is_bench ? "sd-gen bench measures every stage of drawing and writes no picture."
                                      : "sd-gen draws pictures from words.",
                             width) +
                     "\n\n";
  text += recipe_text(is_bench ? bench_recipes() : draw_recipes(), width);
  const std::vector<FlagRow> rows = flag_rows(command);
  for (const std::string& group : flag_groups(rows)) text += "\n" + group_text(rows, group, width);
  return text + "\n" + wrapped(is_bench ? kBenchFooter : generate_footer(), width) + "\n";
}

std::string short_help(std::size_t width) {
  std::string text = "sd-gen draws pictures from words.\n\n" + recipe_text(first_recipes(), width) + "\n";
  const std::vector<FlagRow> rows = flag_rows(Command::kGenerate);
  for (const char* name : {"prompt", "count", "seed", "size", "steps", "output", "model"})
    for (const FlagRow& row : rows)
      if (row.name == name) text += in_columns(row.shown(), row.help, width, kColumn);
  return text + "\n" +
         wrapped("sd-gen --help shows every flag, sd-gen help TOPIC some of them: " +
                     comma_list(help_topics()) + ".",
                 width) +
         "\n";
}

std::vector<std::string> help_topics() {
  std::vector<std::string> topics;
  for (const std::string& group : flag_groups(flag_rows(Command::kGenerate)))
    topics.push_back(topic_of(group));
  return topics;
}

std::string topic_help(const std::string& topic, std::size_t width) {
  const std::vector<FlagRow> rows = flag_rows(Command::kGenerate);
  for (const std::string& group : flag_groups(rows))
    if (topic_of(group) == topic) return group_text(rows, group, width);
  std::vector<std::string> known = help_topics();
  known.insert(known.end(), {"bench", "inspect", "convert", "models", "words"});
  refuse("help: unknown topic '" + topic + "'" + hint_and_list(topic, known, "known"));
}

}  // namespace sdgen::cli
