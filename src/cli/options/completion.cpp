#include "cli/options/completion.h"

#include <algorithm>

#include "cli/options/flag_rows.h"
#include "cli/options/nearest.h"
#include "cli/options/refuse.h"

namespace sdgen::cli {
namespace {

const std::vector<std::pair<std::string, std::string>>& commands() {
  static const std::vector<std::pair<std::string, std::string>> kCommands = {
      {"bench", "measure speed and memory of every stage"},
      {"inspect", "what a model, LoRA, checkpoint or picture is"},
      {"convert", "a model as one file, as a folder, in another dtype"},
      {"models", "the models that are found by name"},
      {"words", "the words that a small model was taught"},
      {"help", "one group of flags"}};
  return kCommands;
}

// Of every command that draws or measures, each flag once.
std::vector<FlagRow> all_rows() {
  std::vector<FlagRow> rows = flag_rows(Command::kGenerate);
  for (const FlagRow& row : flag_rows(Command::kBench)) {
    const auto is_it = [&](const FlagRow& other) { return other.name == row.name; };
    if (std::none_of(rows.begin(), rows.end(), is_it)) rows.push_back(row);
  }
  return rows;
}

bool is_path(const FlagRow& row) {
  return row.value == "FILE" || row.value == "DIR" || row.value == "PATH" || row.value.starts_with("FILE[");
}

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += by.size())
    text.replace(at, part.size(), by);
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Minus signs are no hyphens, and a line may not begin with what roff takes for a command.
std::string roff(const std::string& text) {
  std::string safe = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  return safe.starts_with(".") || safe.starts_with("'") ? "\\&" + safe : safe;
}

// In single quotes.
std::string quoted(const std::string& text) {
  return "'" + replaced(text, "'", "'\\''") + "'";
}

std::string bash_completion() {
  std::string cases;
  std::vector<std::string> flags, names;
  for (const FlagRow& row : all_rows()) {
    flags.push_back("--" + row.name);
    if (!row.alias.empty()) flags.push_back("--" + row.alias);
    std::string pattern = "--" + row.name;
    if (!row.alias.empty()) pattern += "|--" + row.alias;
    if (!row.letter.empty()) pattern += "|-" + row.letter;
    if (!row.choices.empty())
      cases += "    " + pattern + ") COMPREPLY=($(compgen -W " + quoted(joined(row.choices)) +
               " -- \"$word\")); return ;;\n";
    else if (is_path(row))
      cases += "    " + pattern + ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n";
    else if (!row.value.empty())
      cases += "    " + pattern + ") return ;;\n";
  }
  for (const auto& [name, what] : commands()) names.push_back(name);
  return "# bash completion of sd-gen, made by: sd-gen completion bash\n"
         "_sd_gen() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  COMPREPLY=()\n"
         "  case $before in\n" +
         cases +
         "  esac\n"
         "  if [[ $word == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         joined(flags) +
         "' -- \"$word\"))\n"
         "  elif [[ $COMP_CWORD == 1 ]]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         joined(names) +
         "' -- \"$word\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _sd_gen sd-gen\n";
}

std::string zsh_completion() {
  const auto plain = [](const std::string& text) {
    return replaced(replaced(replaced(text, "[", "("), "]", ")"), ":", " -");
  };
  std::string rows, names;
  for (const FlagRow& row : all_rows()) {
    std::string action;
    if (!row.choices.empty())
      action = ":" + row.value + ":(" + joined(row.choices) + ")";
    else if (is_path(row))
      action = ":" + plain(row.value) + ":_files";
    else if (!row.value.empty())
      action = ":" + plain(row.value) + ": ";
    std::vector<std::string> shown = {"--" + row.name};
    if (!row.alias.empty()) shown.push_back("--" + row.alias);
    if (!row.letter.empty()) shown.push_back("-" + row.letter);
    for (const std::string& name : shown)
      rows += "  " + quoted("*" + name + "[" + plain(row.help) + "]" + action) + " \\\n";
  }
  for (const auto& [name, what] : commands()) names += " " + quoted(name + ":" + what);
  return "#compdef sd-gen\n"
         "# zsh completion of sd-gen, made by: sd-gen completion zsh\n"
         "_sd_gen_first() {\n"
         "  local commands=(" +
         names +
         " )\n"
         "  _describe command commands\n"
         "  _files\n"
         "}\n"
         "_arguments -s \\\n" +
         rows + "  '1:command or prompt:_sd_gen_first' '*:file:_files'\n";
}

std::string fish_completion() {
  std::string text = "# fish completion of sd-gen, made by: sd-gen completion fish\n";
  for (const auto& [name, what] : commands())
    text += "complete -c sd-gen -n __fish_use_subcommand -a " + name + " -d " + quoted(what) + "\n";
  for (const FlagRow& row : all_rows()) {
    text += "complete -c sd-gen -l " + row.name;
    if (!row.alias.empty()) text += " -l " + row.alias;
    if (!row.letter.empty()) text += " -s " + row.letter;
    if (!row.value.empty()) text += is_path(row) ? " -r -F" : " -x";
    if (!row.choices.empty()) text += " -a " + quoted(joined(row.choices));
    text += " -d " + quoted(replaced(row.help, "\\", "\\\\")) + "\n";
  }
  return text;
}

}  // namespace

std::string man_page() {
  std::string text =
      ".TH SD\\-GEN 1\n"
      ".SH NAME\nsd\\-gen \\- draw pictures from words\n"
      ".SH SYNOPSIS\n"
      ".B sd\\-gen\n\\fB\\-p\\fR \\fITEXT\\fR [\\fIflags\\fR]\n.br\n"
      ".B sd\\-gen\n\\fB\\-\\-prompt\\-file\\fR \\fIFILE\\fR [\\fIflags\\fR]\n.br\n"
      ".B sd\\-gen\n\\fIcommand\\fR [\\fIflags\\fR]\n"
      ".SH DESCRIPTION\n"
      "sd\\-gen draws pictures from text with the built\\-in model, or with a model that you name. It prints "
      "the "
      "names of the files it wrote; everything else goes to standard error.\n"
      ".SH COMMANDS\n";
  for (const auto& [name, what] : commands()) text += ".TP\n.B " + name + "\n" + roff(what) + "\n";
  text += ".SH OPTIONS\n";
  const std::vector<FlagRow> rows = all_rows();
  for (const std::string& group : flag_groups(rows)) {
    text += ".SS \"" + roff(group) + "\"\n";
    for (const FlagRow& row : rows)
      if (row.group == group) text += ".TP\n\\fB" + roff(row.shown()) + "\\fR\n" + roff(row.help) + "\n";
  }
  return text +
         ".SH \"EXIT STATUS\"\n"
         "0 done; 1 failed while working; 2 wrong request; 3 model or input file missing or damaged; 4 some "
         "pictures of several failed; 130 interrupted (finished pictures are kept).\n"
         ".SH ENVIRONMENT\n"
         ".TP\n.B SDGEN_MODEL\nThe default model.\n"
         ".TP\n.B SDGEN_MODELS\nFolders, with : between them, where models, LoRAs and embeddings are looked "
         "for by "
         "name.\n";
}

std::string completion(const std::string& shell) {
  if (shell == "bash") return bash_completion();
  if (shell == "zsh") return zsh_completion();
  if (shell == "fish") return fish_completion();
  refuse("completion: unknown shell '" + shell + "'" +
         hint_and_list(shell, {"bash", "zsh", "fish"}, "known"));
}

}  // namespace sdgen::cli
