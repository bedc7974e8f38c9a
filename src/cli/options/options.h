// The command line and the config file, as one struct.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/options/request_fields.h"
#include "sdgen/compute_options.h"
#include "sdgen/request.h"

namespace sdgen::cli {

enum class Command { kGenerate, kBench, kInspect, kConvert, kVersion };

enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError, kOff };

// A flag of bench and the values it takes one after the other.
struct SweepAxis {
  std::string name;  // a long flag name, or "size"
  std::vector<std::string> values;
};

struct Options {
  Command command = Command::kGenerate;
  std::string command_line;  // as it was typed, or would be
  std::string message;       // not empty: print this and stop (--help)
  Job job;                   // the request, or what every line of a prompt file starts from
  bool has_prompt = false;
  std::string prompt_file;                   // "-" is standard input; empty: the prompt is in `job`
  std::string model;                         // as given; empty: the default model
  std::string refiner;                       // likewise; empty: none
  std::string ranker;                        // a CLIP's folder; empty: the model's own
  std::vector<std::string> controlnets;      // likewise
  std::map<std::string, std::string> parts;  // paths by component name
  std::vector<std::string> loras;            // FILE[:SCALE], as given
  std::vector<std::string> embeddings;       // FILE[:TOKEN], as given
  ComputeOptions compute;
  int batch_size = 1;
  bool overwrite = false;
  int quality = 90;  // of JPEG and WebP, 1 to 100
  bool json = false;
  std::string attention_maps;     // a folder; empty: none
  bool attention_detail = false;  // also each step and resolution by itself
  std::string report;             // a folder; empty: none
  int preview = 0;                // steps between previews; 0: none
  std::string preview_file;       // empty: in the terminal, or beside the picture
  std::string grid;               // all pictures on one sheet; empty: none
  LogLevel log_level = LogLevel::kInfo;
  int repetitions = 5;             // bench: measured runs
  int warmup = 1;                  // bench: runs before them
  bool no_profile = false;         // bench: no run for the table of operators, no peak of the machine
  std::string compare;             // bench: a file of earlier results; empty: none
  std::vector<std::string> paths;  // inspect, convert: what they work on
  bool ema = false;                // of a single file: the running mean of the UNet's weights
  std::vector<SweepAxis> sweep;    // every combination is drawn, or measured by bench
};

// Reads the arguments behind the program's name. A config file's values come first, flags win over them.
// Throws Error(kRequest) for a wrong flag, word, key or value, Error(kInput) for a config file that cannot be
// read.
Options parse_options(const std::vector<std::string>& arguments);

// Sets one option by its long name; `shown` is how the user wrote it. The later of --prompt and --prompt-file
// counts. Throws Error(kRequest) for a wrong value.
void set_option(Options& options, const std::string& name, const std::string& shown, const std::string& text);

}  // namespace sdgen::cli
