#include "cli/options/program_options.h"

#include <algorithm>
#include <array>
#include <vector>

#include "cli/options/nearest.h"
#include "cli/options/other_names.h"
#include "cli/options/refuse.h"
#include "cli/options/sweep.h"
#include "cli/options/values.h"
#include "sdgen/error.h"
#include "sdgen/picture_format.h"

namespace sdgen::cli {
namespace {

using Names = std::vector<std::string>;

// Past these a number is a slip of the finger.
constexpr int kMaxDevice = 127, kMaxBatch = 4096, kMaxSteps = 10'000, kMaxThreads = 1024, kMaxRuns = 100'000,
              kMaxQuality = 100;
constexpr std::size_t kMaxFiles = 100;  // LoRAs, embeddings

int within(int least, int most, const std::string& name, const std::string& text) {
  int value = 0;
  parse_value(name, text, value);
  if (value < least || value > most)
    refuse(name + ": expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
           ", got '" + text + "'");
  return value;
}

// The index of `text` among `known`.
std::size_t choice(const std::string& name, const std::string& text, const Names& known) {
  const auto found = std::find(known.begin(), known.end(), text);
  if (found == known.end()) refuse(name + ": unknown '" + text + "'" + hint_and_list(text, known, "known"));
  return static_cast<std::size_t>(found - known.begin());
}

void set_device(Options& options, const std::string& name, const std::string& text) {
  std::string device = device_of_name(text);
  options.compute.device_index = 0;
  if (text.starts_with("cuda:")) {
    options.compute.device_index = within(0, kMaxDevice, name, text.substr(5));
    device = "cuda";
  }
  constexpr std::array kDevices = {Device::kAuto, Device::kCpu, Device::kCuda};
  options.compute.device = kDevices[choice(name, device, {"auto", "cpu", "cuda"})];
}

void set_dtype(Options& options, const std::string& name, const std::string& text) {
  constexpr std::array kDTypes = {DType::kAuto, DType::kFloat32, DType::kBFloat16, DType::kFloat16};
  options.compute.dtype =
      kDTypes[choice(name, dtype_of_name(text), {"auto", "float32", "bfloat16", "float16"})];
}

void set_quantize(Options& options, const std::string& name, const std::string& text) {
  constexpr std::array kKinds = {Quantize::kNone, Quantize::kInt8};
  options.compute.quantize = kKinds[choice(name, text, {"none", "int8"})];
}

void set_vae_tiling(Options& options, const std::string& name, const std::string& text) {
  constexpr std::array kTilings = {VaeTiling::kAuto, VaeTiling::kOn, VaeTiling::kOff};
  options.compute.vae_tiling = kTilings[choice(name, text, {"auto", "on", "off"})];
}

void set_log_level(Options& options, const std::string& name, const std::string& text) {
  options.log_level =
      static_cast<LogLevel>(choice(name, text, {"trace", "debug", "info", "warn", "error", "off"}));
}

// --quiet and --verbose.
template <LogLevel level>
void set_level_if(Options& options, const std::string& name, const std::string& text) {
  bool on = false;
  parse_value(name, text, on);
  if (on) options.log_level = level;
}

void set_folder(const std::string& name, const std::string& text, std::string& folder) {
  if (text.empty()) refuse(name + ": expected a folder, got ''");
  parse_value(name, text, folder);
}

void set_picture(const std::string& name, const std::string& text, std::string& file) {
  if (!picture_format(text)) refuse(name + ": expected a .png, .jpg or .webp, got '" + text + "'");
  parse_value(name, text, file);
}

constexpr std::array kParts = {"vae", "unet", "text_encoder", "text_encoder_2"};

template <std::size_t part>
void set_part(Options& options, const std::string& name, const std::string& text) {
  if (text.empty()) refuse(name + ": expected a folder or file, got ''");
  parse_value(name, text, options.parts[kParts[part]]);
}

void add_file(const std::string& name, const std::string& text, std::vector<std::string>& files) {
  if (text.empty()) refuse(name + ": expected a file, got ''");
  std::string file;
  parse_value(name, text, file);
  if (files.size() == kMaxFiles)
    refuse(name + ": given more than " + std::to_string(kMaxFiles) + " times (the limit)");
  files.push_back(file);
}

constexpr std::string_view kWhat = "What to draw";
constexpr std::string_view kHow = "How to draw it";
constexpr std::string_view kOutput = "Output";
constexpr std::string_view kSteer = "Which word paints what";
constexpr std::string_view kModel = "Model and machine";
constexpr std::string_view kMessages = "Messages (on standard error)";
constexpr std::string_view kBench = "Bench";

// "192x128", or "128" for a square.
void set_size(Options& options, const std::string& name, const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789xX") != std::string::npos)
    refuse(name + ": expected WxH or N, got '" + text + "'; several sizes: --sweep size=64,128x64");
  const std::size_t times = text.find_first_of("xX");
  const std::string width = text.substr(0, times);
  const std::string height = times == std::string::npos ? width : text.substr(times + 1);
  set_field(options.job, *find_field("width"), name, width);
  set_field(options.job, *find_field("height"), name, height);
}

constexpr std::array kOptions = {
    ProgramOption{"size", "", kWhat, "WxH", "--width and --height in one; N: a square", false, set_size},
    ProgramOption{
        "prompt-file", "", kWhat, "FILE", "a request a line: text with flags at its end, or .jsonl", false,
        [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.prompt_file); }},
    ProgramOption{"batch-size", "", kHow, "N", "pictures computed together [1]", false,
                  [](Options& o, const std::string& n, const std::string& t) {
                    o.batch_size = within(1, kMaxBatch, n, t);
                  }},
    ProgramOption{
        "sweep", "", kHow, "NAME=A,B,...",
        "each value of a flag, or of size (N or WxH); repeated: every combination", false,
        [](Options& o, const std::string& n, const std::string& t) { o.sweep.push_back(parse_sweep(n, t)); }},
    ProgramOption{
        "overwrite", "", kOutput, "", "replace files that exist", false,
        [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.overwrite); }},
    ProgramOption{"quality", "", kOutput, "N",
                  "of .jpg and .webp, 1 to 100; a .webp of 100 is without loss [90]", false,
                  [](Options& o, const std::string& n, const std::string& t) {
                    o.quality = within(1, kMaxQuality, n, t);
                  }},
    ProgramOption{"json", "", kOutput, "", "print JSON on standard output, an object a line", false,
                  [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.json); }},
    ProgramOption{"grid", "", kOutput, "FILE", "all pictures of the run on one labelled sheet, too", false,
                  [](Options& o, const std::string& n, const std::string& t) { set_picture(n, t, o.grid); }},
    ProgramOption{"report", "", kOutput, "DIR",
                  "write DIR/report.html: pictures, words, steps, times, in one page", false,
                  [](Options& o, const std::string& n, const std::string& t) { set_folder(n, t, o.report); }},
    ProgramOption{"preview", "", kOutput, "N",
                  "the picture so far every N steps: in the terminal if it can, else in a file [0: never]",
                  false,
                  [](Options& o, const std::string& n, const std::string& t) {
                    o.preview = within(0, kMaxSteps, n, t);
                  }},
    ProgramOption{
        "preview-file", "", kOutput, "FILE", "where previews go, whatever the terminal can", false,
        [](Options& o, const std::string& n, const std::string& t) { set_picture(n, t, o.preview_file); }},
    ProgramOption{
        "attention-maps", "", kSteer, "DIR",
        "where each word was painted: a picture a word, a panel of all, the numbers", false,
        [](Options& o, const std::string& n, const std::string& t) { set_folder(n, t, o.attention_maps); }},
    ProgramOption{"attention-detail", "", kSteer, "",
                  "... and step by step, at each resolution: a film, an animation", false,
                  [](Options& o, const std::string& n, const std::string& t) {
                    parse_value(n, t, o.attention_detail);
                  }},
    ProgramOption{"model", "m", kModel, "PATH",
                  "a model's folder or file, or its name [$SDGEN_MODEL, else pictograms]", false,
                  [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.model); }},
    ProgramOption{"vae", "", kModel, "PATH", "another VAE than the model's: a folder or file that holds one",
                  false, set_part<0>},
    ProgramOption{"unet", "", kModel, "PATH", "likewise", false, set_part<1>},
    ProgramOption{"text-encoder", "", kModel, "PATH", "likewise", false, set_part<2>},
    ProgramOption{"text-encoder-2", "", kModel, "PATH", "likewise", false, set_part<3>},
    ProgramOption{"ema", "", kModel, "", "of a single file that holds both: the UNet's averaged weights",
                  false,
                  [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.ema); }},
    ProgramOption{
        "refiner", "", kModel, "PATH",
        "a model that does the last steps (Stable Diffusion XL's refiner); see --refiner-start", false,
        [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.refiner); }},
    ProgramOption{
        "ranker",
        "", kModel, "PATH", "a CLIP model's folder, for --best-of [the model's own]", false,
        [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.ranker); }},
    ProgramOption{
        "controlnet", "", kModel, "PATH",
        "a ControlNet's folder or file, repeated for more: it follows --control-image", false,
        [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.controlnets); }},
    ProgramOption{"lora", "", kModel, "FILE[:SCALE]",
                  "change the model by a LoRA, LoHa, LoKr or DoRA; repeatable [SCALE 1]", false,
                  [](Options& o, const std::string& n, const std::string& t) { add_file(n, t, o.loras); }},
    ProgramOption{
        "embedding", "", kModel, "FILE[:TOKEN]",
        "a new word for prompts (textual inversion); repeatable [the file's TOKEN]", false,
        [](Options& o, const std::string& n, const std::string& t) { add_file(n, t, o.embeddings); }},
    ProgramOption{"device", "", kModel, "NAME", "auto, cpu, cuda or cuda:N [auto]", false, set_device},
    ProgramOption{"dtype", "", kModel, "NAME",
                  "auto (the fastest that keeps the picture), float32, bfloat16 or float16 [auto]", false,
                  set_dtype},
    ProgramOption{"quantize", "", kModel, "KIND",
                  "int8: the UNet in 8-bit integers, faster on CPUs with AVX-512 VNNI; none [none]", false,
                  set_quantize},
    ProgramOption{"threads", "t", kModel, "N", "CPU threads; 0: all cores [0]", false,
                  [](Options& o, const std::string& n, const std::string& t) {
                    o.compute.threads = within(0, kMaxThreads, n, t);
                  }},
    ProgramOption{"vae-tiling", "", kModel, "WHEN",
                  "decode in overlapping tiles: on, off, or auto, where memory does not suffice [auto]",
                  false, set_vae_tiling},
    ProgramOption{"low-memory", "", kModel, "",
                  "read what does not fit of the UNet anew at every step: slower, the same picture", false,
                  [](Options& o, const std::string& n, const std::string& t) {
                    parse_value(n, t, o.compute.low_memory);
                  }},
    ProgramOption{"memory-limit", "", kModel, "GIB",
                  "memory to count on, for --low-memory and decoding [what the system has]", false,
                  [](Options& o, const std::string& n, const std::string& t) {
                    parse_value(n, t, o.compute.memory_limit.emplace());
                  }},
    ProgramOption{"quiet", "", kMessages, "", "errors only", false, set_level_if<LogLevel::kError>},
    ProgramOption{"verbose", "", kMessages, "", "also stages, with their times and memory", false,
                  set_level_if<LogLevel::kDebug>},
    ProgramOption{"log-level", "", kMessages, "LEVEL", "trace, debug, info, warn, error or off [info]", false,
                  set_log_level},
    ProgramOption{"repetitions", "", kBench, "N", "measured runs [5]", true,
                  [](Options& o, const std::string& n, const std::string& t) {
                    o.repetitions = within(1, kMaxRuns, n, t);
                  }},
    ProgramOption{"warmup", "", kBench, "N", "runs before them that are not measured [1]", true,
                  [](Options& o, const std::string& n, const std::string& t) {
                    o.warmup = within(0, kMaxRuns, n, t);
                  }},
    ProgramOption{
        "compare", "", kBench, "FILE", "what bench --json printed earlier: tell the ratios new / old", true,
        [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.compare); }},
    ProgramOption{
        "no-profile", "", kBench, "", "neither the table of operators nor the machine's peak: quicker", true,
        [](Options& o, const std::string& n, const std::string& t) { parse_value(n, t, o.no_profile); }},
};

}  // namespace

std::span<const ProgramOption> program_options() {
  return kOptions;
}

const ProgramOption* find_program_option(std::string_view name) {
  const auto found = std::find_if(kOptions.begin(), kOptions.end(),
                                  [&](const ProgramOption& option) { return option.name == name; });
  return found == kOptions.end() ? nullptr : &*found;
}

}  // namespace sdgen::cli
