#include "plain/request_table.h"

#include <array>
#include <charconv>
#include <type_traits>

namespace sdgen {
namespace {

constexpr std::string_view kWhat = "What to draw";
constexpr std::string_view kHow = "How to draw it";
constexpr std::string_view kStart = "A picture to start from";
constexpr std::string_view kControl = "Pictures that steer (repeated flags add up)";
constexpr std::string_view kSteer = "Which word paints what";

// A row is a few lines.
// clang-format off
constexpr std::array kRows = {
    RequestRow{.name = "prompt", .letter = "p", .group = kWhat, .value = "TEXT",
               .help = "what to draw; - reads a prompt file from standard input", .member = &Request::prompt,
               .separates_batches = false, .repeats = false, .kept_by_edits = false, .sweeps = false},
    RequestRow{.name = "negative-prompt", .letter = "n", .group = kWhat, .value = "TEXT", .help = "what to avoid",
               .member = &Request::negative_prompt, .separates_batches = false, .repeats = false, .sweeps = false},
    RequestRow{.name = "count", .letter = "c", .group = kWhat, .value = "N", .help = "pictures of each prompt [1]",
               .member = &Request::count, .separates_batches = false, .repeats = false, .kept_by_edits = false,
               .sweeps = false},
    RequestRow{.name = "best-of", .group = kWhat, .value = "N",
               .help = "draw N for each picture and keep what --ranker finds nearest to the prompt [1]",
               .member = &Request::best_of, .separates_batches = false, .repeats = false, .kept_by_edits = false},
    RequestRow{.name = "seed", .group = kWhat, .value = "S",
               .help = "picture k of a prompt uses S + k; 1,5,9: a picture of each [random]", .member = &Request::seed,
               .separates_batches = false},
    RequestRow{.name = "width", .letter = "W", .group = kWhat, .value = "PX", .help = "a multiple of 8 [the model's own]",
               .member = &Request::width},
    RequestRow{.name = "height", .letter = "H", .group = kWhat, .value = "PX", .help = "a multiple of 8 [the model's own]",
               .member = &Request::height},
    RequestRow{.name = "steps", .group = kHow, .value = "N", .help = "sampler steps [the model's own, else 30]",
               .member = &Request::steps},
    RequestRow{.name = "guidance-scale", .alias = "cfg-scale", .group = kHow, .value = "G",
               .help = "how closely to follow the prompt; 1 or less: off [the model's own, else 7.5]",
               .member = &Request::guidance_scale},
    RequestRow{.name = "sampler", .group = kHow, .value = "NAME", .help = "", .member = &Request::sampler},
    RequestRow{.name = "schedule", .group = kHow, .value = "NAME", .help = "", .member = &Request::schedule,
               .of_sampler = true},
    RequestRow{.name = "eta", .group = kHow, .value = "X", .help = "stochasticity of ddim and tcd, 0 to 1 [0]",
               .member = &Request::eta, .metadata = "Eta", .silent = 0.0, .of_sampler = true},
    RequestRow{.name = "prediction-type", .group = kHow, .value = "NAME",
               .help = "what the model was trained to predict: epsilon, v_prediction, sample [the model's own]",
               .member = &Request::prediction_type, .metadata = "Prediction type"},
    RequestRow{.name = "timestep-spacing", .group = kHow, .value = "NAME",
               .help = "leading, trailing, linspace [the model's own, else the sampler's]",
               .member = &Request::timestep_spacing, .metadata = "Timestep spacing"},
    RequestRow{.name = "zero-snr", .group = kHow, .value = "BOOL",
               .help = "true: betas rescaled so that the first step begins with pure noise [the model's own]",
               .member = &Request::zero_snr, .metadata = "Zero SNR"},
    RequestRow{.name = "guidance-rescale", .group = kHow, .value = "X",
               .help = "0 to 1: brings guided pictures' contrast back, for zero-snr models [the model's own]",
               .member = &Request::guidance_rescale, .metadata = "CFG rescale", .silent = 0.0},
    RequestRow{.name = "clip-skip", .group = kHow, .value = "N",
               .help = "leave out CLIP's last N layers; 1 is what others call clip skip 2 [0]",
               .member = &Request::clip_skip, .metadata = "Clip skip", .silent = 0.0, .metadata_offset = 1},
    RequestRow{.name = "refiner-start", .group = kHow, .value = "X",
               .help = "the part of the noise schedule after which --refiner goes on [0.8]",
               .member = &Request::refiner_start, .metadata = "Refiner switch at", .told_with = ToldWith::kRefiner},
    RequestRow{.name = "init-image", .letter = "i", .group = kStart, .value = "FILE",
               .help = "a picture file that is changed; its size is the picture's unless told otherwise",
               .member = &Request::init_image, .metadata = "Init image", .kept_by_edits = false},
    RequestRow{.name = "strength", .group = kStart, .value = "X",
               .help = "how much of it is painted anew, 0 to 1 [0.8, with a mask 1]", .member = &Request::strength,
               .metadata = "Denoising strength"},
    RequestRow{.name = "mask", .group = kStart, .value = "FILE",
               .help = "white where it is painted anew, black where it stays", .member = &Request::mask,
               .metadata = "Mask", .kept_by_edits = false},
    RequestRow{.name = "image-guidance-scale", .group = kStart, .value = "G",
               .help = "InstructPix2Pix: how closely to follow the picture [1.5]",
               .member = &Request::image_guidance_scale, .metadata = "Image CFG scale",
               .told_with = ToldWith::kPictureModel},
    RequestRow{.name = "control-image", .group = kControl, .value = "FILE",
               .help = "a picture file for each --controlnet; the picture's size is the first one's",
               .member = &Request::control_image, .metadata = "Control image", .told_with = ToldWith::kControlNets, .kept_by_edits = false},
    RequestRow{.name = "control-scale", .group = kControl, .value = "X",
               .help = "how much it counts; one for each or one for all [1]", .member = &Request::control_scale,
               .metadata = "Control scale", .told_with = ToldWith::kControlNets},
    RequestRow{.name = "control-start", .group = kControl, .value = "X",
               .help = "from which part of the steps on, 0 to 1; likewise [0]", .member = &Request::control_start,
               .metadata = "Control start", .told_with = ToldWith::kControlNets},
    RequestRow{.name = "control-end", .group = kControl, .value = "X", .help = "... to which [1]",
               .member = &Request::control_end, .metadata = "Control end", .told_with = ToldWith::kControlNets},
    RequestRow{.name = "attend", .group = kSteer, .value = "WORD:X",
               .help = "that word's attention times X; more words: with ; between", .member = &Request::attend,
               .metadata = "Attend", .separates_batches = false, .kept_by_edits = false, .sweeps = false},
    RequestRow{.name = "focus", .group = kSteer, .value = "WORD=BOX",
               .help = "hold a word to x0,y0,x1,y1, parts of width and height from the upper left",
               .member = &Request::focus, .metadata = "Focus", .separates_batches = false, .kept_by_edits = false,
               .sweeps = false},
};
// clang-format on

// A value as texts, one for each time its flag is given.
std::vector<std::string> texts_of(const std::string& text) {
  return text.empty() ? std::vector<std::string>{} : std::vector<std::string>{text};
}
std::vector<std::string> texts_of(int number) {
  return {std::to_string(number)};
}
std::vector<std::string> texts_of(std::uint64_t number) {
  return {std::to_string(number)};
}
std::vector<std::string> texts_of(double number) {
  return {number_text(number)};
}
std::vector<std::string> texts_of(bool value) {
  return {value ? "true" : "false"};
}
std::vector<std::string> texts_of(const std::vector<WordWeight>& attend) {
  return texts_of(attend_text(attend));
}
std::vector<std::string> texts_of(const std::vector<WordBox>& focus) {
  return texts_of(focus_text(focus));
}
std::vector<std::string> texts_of(const std::vector<std::string>& texts) {
  return texts;
}
std::vector<std::string> texts_of(const std::vector<double>& numbers) {
  std::vector<std::string> texts;
  for (const double number : numbers) texts.push_back(number_text(number));
  return texts;
}
template <typename T>
std::vector<std::string> texts_of(const std::optional<T>& value) {
  return value ? texts_of(*value) : std::vector<std::string>{};
}

bool is_told_with(const RequestRow& row, const ModelInfo& model) {
  switch (row.told_with) {
    case ToldWith::kEveryModel:
      return true;
    case ToldWith::kRefiner:
      return !model.refiner.empty();
    case ToldWith::kControlNets:
      return !model.controlnets.empty();
    case ToldWith::kPictureModel:
      return model.takes_picture;
  }
  return true;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ";") + text;
  return all;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

template <typename Number>
std::optional<Number> number_of(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Inverse of texts_of(); false where the text is none of that kind. Words and their boxes are not read back.
template <typename Number>
requires(std::is_arithmetic_v<Number>) bool read_value(const std::string& text, Number& value) {
  if constexpr (std::is_same_v<Number, bool>) {
    value = text == "true";
    return value || text == "false";
  } else {
    const std::optional<Number> number = number_of<Number>(text);
    value = number.value_or(value);
    return number.has_value();
  }
}
bool read_value(const std::string& text, std::string& value) {
  value = text;
  return true;
}
bool read_value(const std::string& text, std::vector<std::string>& value) {
  value = split(text);
  return true;
}
bool read_value(const std::string& text, std::vector<double>& value) {
  for (const std::string& part : split(text))
    if (const std::optional<double> number = number_of<double>(part)) value.push_back(*number);
  return true;
}
bool read_value(const std::string&, std::vector<WordWeight>&) {
  return false;
}
bool read_value(const std::string&, std::vector<WordBox>&) {
  return false;
}
template <typename T>
bool read_value(const std::string& text, std::optional<T>& value) {
  T read{};
  if (!read_value(text, read)) return false;
  value = std::move(read);
  return true;
}

template <typename T>
concept Numeric = std::is_same_v<T, int> || std::is_same_v<T, double> ||
    std::is_same_v<T, std::optional<int>> || std::is_same_v<T, std::optional<double>>;

template <Numeric T>
void set_number(T& value, double number) {
  value = static_cast<
      std::conditional_t<std::is_same_v<T, int> || std::is_same_v<T, std::optional<int>>, int, double>>(
      number);
}

}  // namespace

std::span<const RequestRow> request_rows() {
  return kRows;
}

bool same_settings(const Request& one, const Request& other) {
  for (const RequestRow& row : kRows) {
    const auto differs = [&](auto member) { return !(one.*member == other.*member); };
    if (row.separates_batches && std::visit(differs, row.member)) return false;
  }
  return one.edit_from == other.edit_from;
}

std::vector<std::string> told_values(const RequestRow& row, const Request& request, const ModelInfo& model) {
  if (!is_told_with(row, model)) return {};
  std::vector<std::string> texts =
      std::visit([&](auto member) { return texts_of(request.*member); }, row.member);
  if (row.silent && texts == texts_of(*row.silent)) return {};
  return texts;
}

std::string metadata_text(const RequestRow& row, const Request& request, const ModelInfo& model) {
  const std::string text = joined(told_values(row, request, model));
  if (row.metadata_offset == 0 || text.empty()) return text;
  return std::to_string(number_of<int>(text).value_or(0) + row.metadata_offset);
}

void read_metadata(const RequestRow& row, const std::string& text, Request& request) {
  std::visit(
      [&](auto member) {
        auto& value = request.*member;
        if constexpr (Numeric<std::remove_reference_t<decltype(value)>>) {
          const std::optional<double> number = text.empty() ? row.silent : number_of<double>(text);
          if (number) set_number(value, text.empty() ? *number : *number - row.metadata_offset);
        } else if (!text.empty()) {
          read_value(text, value);
        }
      },
      row.member);
}

void copy_field(const RequestRow& row, const Request& from, Request& to) {
  std::visit([&](auto member) { to.*member = from.*member; }, row.member);
}

}  // namespace sdgen
