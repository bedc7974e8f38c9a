// What to draw and on what. A field is named as its command-line flag (dashes for underscores).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sdgen {

// What users call a word of the prompt, or several in a row: "apple", "red apple"; every place where it
// stands, or with "#2" the second only. Capitals do not matter.
using WordName = std::string;

// Its attention times `weight` ("Prompt-to-Prompt Image Editing with Cross Attention Control", section 3.2).
struct WordWeight {
  WordName word;
  double weight = 1.0;  // 0: nothing is painted of it

  bool operator==(const WordWeight&) const = default;
};

// The place where it is to be painted, as parts of the width and height from the upper left corner.
struct WordBox {
  WordName word;
  double x0 = 0.0, y0 = 0.0, x1 = 1.0, y1 = 1.0;

  bool operator==(const WordBox&) const = default;
};

// One prompt and how to draw it. Empty optionals mean "the model's own"; Generator::complete() fills them.
struct Request {
  std::string prompt{};
  std::string negative_prompt{};
  std::optional<int> steps{};              // sampler steps, >= 1; the model's own default, else 30
  std::optional<double> guidance_scale{};  // <= 1: off, one UNet row; the model's own default, else 7.5
  std::optional<std::string> sampler{};    // one of sampler_names(); the model's own scheduler
  // How much the starting picture counts in models that are told to change it (InstructPix2Pix), >= 1; 1.5.
  std::optional<double> image_guidance_scale{};
  // 0 to 1: brings the contrast of guided pictures back to what it is without guidance, for models with a
  // zero terminal SNR ("Common Diffusion Noise Schedules and Sample Steps are Flawed", section 3.4); the
  // model's own default, else 0.
  std::optional<double> guidance_rescale{};
  double eta = 0.0;                       // stochasticity of ddim and tcd, 0 (deterministic) to 1
  std::optional<std::string> schedule{};  // one of schedule_names(), how sigmas are spread; the model's own
  // Of CLIP's layers so many are left out at the end where the prompt is read (diffusers' clip_skip), 0:
  // none.
  std::optional<int> clip_skip{};
  // What a model's scheduler config gets wrong or leaves out; the model's own where absent.
  std::optional<std::string> prediction_type{};   // epsilon, v_prediction, sample
  std::optional<std::string> timestep_spacing{};  // leading, trailing, linspace
  std::optional<bool> zero_snr{};                 // betas rescaled to end at pure noise
  std::optional<std::uint64_t> seed{};            // picture k uses seed + k; random when absent
  std::optional<int> width{};                     // pixels, a multiple of 8; the picture's or the model's own
  std::optional<int> height{};                    // pixels, a multiple of 8; likewise
  int count = 1;                                  // pictures of this prompt, >= 1
  // How many are drawn for each picture, of which the one that the ranker (ModelFiles::ranker) finds nearest
  // to the prompt is kept. Picture k is chosen from those of the seeds seed + k * best_of and following.
  int best_of = 1;
  std::vector<WordWeight> attend{};  // words that count more or less
  std::vector<WordBox> focus{};      // words that are held to a place
  // A picture to start from (what read_picture() reads): resized to width x height, which are its own unless
  // told otherwise, and changed by `strength`, 0 to 1: the part of the steps that are done; 0.8, or 1 with a
  // mask.
  std::optional<std::string> init_image{};
  std::optional<double> strength{};
  // A picture that is white where init_image is to be painted anew, black where it is to stay.
  std::optional<std::string> mask{};
  // A picture for each ControlNet (edges, a pose, ...), resized to width x height, which are the first one's
  // unless told otherwise ("Adding Conditional Control to Text-to-Image Diffusion Models"). For each, or one
  // for all: how much it counts, 1, and the part of the steps in which it does, 0 to 1.
  std::vector<std::string> control_image{};
  std::vector<double> control_scale{}, control_start{}, control_end{};
  double refiner_start =
      0.8;  // the part of the noise schedule after which the refiner, where there is one, goes on
  // The prompt of an earlier picture with this seed and these settings, whose layout this one keeps: words in
  // common attend to the same places ("Prompt-to-Prompt Image Editing ...", section 3.2).
  std::optional<std::string> edit_from{};
};

// "red apple:1.5; car:0.5", as the command line takes it.
std::string attend_text(const std::vector<WordWeight>& attend);
// "apple=0,0,0.5,1; car=0.5,0,1,1", likewise.
std::string focus_text(const std::vector<WordBox>& focus);

// The shortest text that reads back as the same number.
std::string number_text(double number);

// Names accepted by Request::sampler, in the order shown to users.
std::vector<std::string> sampler_names();
// Names accepted by Request::schedule.
std::vector<std::string> schedule_names();

}  // namespace sdgen
