#include "cli/options/request_fields.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/options/values.h"

namespace sdgen::cli {
namespace {

constexpr std::string_view kWhat = "What to draw";
constexpr std::string_view kHow = "How to draw it";
constexpr std::string_view kStart = "A picture to start from";
constexpr std::string_view kControl = "Pictures that steer (repeated flags add up)";
constexpr std::string_view kSteer = "Which word paints what";
constexpr std::string_view kOutput = "Output";

constexpr std::array kFields = {
    RequestField{"prompt", "", "p", kWhat, "TEXT", "what to draw; - reads a prompt file from standard input",
                 &Request::prompt},
    RequestField{"negative-prompt", "", "n", kWhat, "TEXT", "what to avoid", &Request::negative_prompt},
    RequestField{"count", "", "c", kWhat, "N", "pictures of each prompt [1]", &Request::count},
    RequestField{"best-of", "", "", kWhat, "N",
                 "draw N for each picture and keep what --ranker finds nearest to the prompt [1]",
                 &Request::best_of},
    RequestField{"seed", "", "", kWhat, "S", "picture k of a prompt uses S + k (64 bits) [random]",
                 &Request::seed},
    RequestField{"width", "", "", kWhat, "PX", "a multiple of 8 [the model's own]", &Request::width},
    RequestField{"height", "", "", kWhat, "PX", "a multiple of 8 [the model's own]", &Request::height},
    RequestField{"steps", "", "", kHow, "N", "sampler steps [the model's own, else 30]", &Request::steps},
    RequestField{"guidance-scale", "cfg-scale", "", kHow, "G",
                 "how closely to follow the prompt; 1 or less: off [the model's own, else 7.5]",
                 &Request::guidance_scale},
    RequestField{"sampler", "", "", kHow, "NAME", "", &Request::sampler},
    RequestField{"schedule", "", "", kHow, "NAME", "", &Request::schedule},
    RequestField{"eta", "", "", kHow, "X", "stochasticity of ddim and tcd, 0 to 1 [0]", &Request::eta},
    RequestField{"prediction-type", "", "", kHow, "NAME",
                 "what the model was trained to predict: epsilon, v_prediction, sample [the model's own]",
                 &Request::prediction_type},
    RequestField{"timestep-spacing", "", "", kHow, "NAME",
                 "leading, trailing, linspace [the model's own, else the sampler's]",
                 &Request::timestep_spacing},
    RequestField{"zero-snr", "", "", kHow, "BOOL",
                 "true: betas rescaled so that the first step begins with pure noise [the model's own]",
                 &Request::zero_snr},
    RequestField{"guidance-rescale", "", "", kHow, "X",
                 "0 to 1: brings guided pictures' contrast back, for zero-snr models [the model's own]",
                 &Request::guidance_rescale},
    RequestField{"refiner-start", "", "", kHow, "X",
                 "the part of the noise schedule after which --refiner goes on [0.8]",
                 &Request::refiner_start},
    RequestField{"init-image", "", "", kStart, "FILE",
                 "a PNG or JPEG that is changed; its size is the picture's unless told otherwise",
                 &Request::init_image},
    RequestField{"strength", "", "", kStart, "X",
                 "how much of it is painted anew, 0 to 1 [0.8, with a mask 1]", &Request::strength},
    RequestField{"mask", "", "", kStart, "FILE", "white where it is painted anew, black where it stays",
                 &Request::mask},
    RequestField{"image-guidance-scale", "", "", kStart, "G",
                 "InstructPix2Pix: how closely to follow the picture [1.5]", &Request::image_guidance_scale},
    RequestField{"control-image", "", "", kControl, "FILE",
                 "a PNG or JPEG for each --controlnet; the picture's size is the first one's",
                 &Request::control_image},
    RequestField{"control-scale", "", "", kControl, "X",
                 "how much it counts; one for each or one for all [1]", &Request::control_scale},
    RequestField{"control-start", "", "", kControl, "X",
                 "from which part of the steps on, 0 to 1; likewise [0]", &Request::control_start},
    RequestField{"control-end", "", "", kControl, "X", "... to which [1]", &Request::control_end},
    RequestField{"attend", "", "", kSteer, "WORD:X",
                 "that word's attention times X; more words: with ; between", &Request::attend},
    RequestField{"focus", "", "", kSteer, "WORD=BOX",
                 "hold a word to x0,y0,x1,y1, parts of width and height from the upper left",
                 &Request::focus},
    RequestField{"edit-from", "", "", kSteer, "PNG",
                 "keep the layout, seed and settings of a picture drawn before, with another prompt",
                 &Job::edit_picture},
    RequestField{"output", "", "o", kOutput, "PATH",
                 "a .png, a pattern or a folder (ending in /) [sd-gen-{seed}.png]", &Job::output},
};

std::string dashed(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '_', '-');
  return result;
}

template <typename T>
T& value_of(T& member) {
  return member;
}
template <typename T>
T& value_of(std::optional<T>& member) {
  return member.emplace();
}

template <typename Source>
void set_member(Job& job, const RequestField& field, const std::string& name, const Source& source) {
  std::visit([&](auto member) { parse_value(name, source, value_of(job.*member)); }, field.member);
  job.own_negative_prompt |= field.name == "negative-prompt";
  job.own_eta |= field.name == "eta";
  job.own_refiner_start |= field.name == "refiner-start";
}

}  // namespace

std::span<const RequestField> request_fields() {
  return kFields;
}

const RequestField* find_field(std::string_view name) {
  const std::string wanted = dashed(name);
  for (const RequestField& field : kFields)
    if (field.name == wanted || (!field.alias.empty() && field.alias == wanted)) return &field;
  return nullptr;
}

std::vector<std::string> field_names() {
  std::vector<std::string> names;
  for (const RequestField& field : kFields) {
    names.emplace_back(field.name);
    if (!field.alias.empty()) names.emplace_back(field.alias);
  }
  return names;
}

void set_field(Job& job, const RequestField& field, const std::string& name, const std::string& text) {
  set_member(job, field, name, text);
}

void set_field(Job& job, const RequestField& field, const std::string& name, const nlohmann::json& json) {
  set_member(job, field, name, json);
}

void copy_field(const Job& from, Job& to, const RequestField& field) {
  std::visit([&](auto member) { to.*member = from.*member; }, field.member);
}

}  // namespace sdgen::cli
