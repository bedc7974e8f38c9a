// The chain: words -> conditioning -> latents -> pixels.
//
//   sdgen::Generator generator("models/pictograms", {});
//   auto request = generator.complete({.prompt = "a blue tulip to the left of an orange truck"});
//   generator.run({request}, {}, {.on_picture = [](const sdgen::Picture& picture) { ... }});
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdgen/attention.h"
#include "sdgen/error.h"
#include "sdgen/image.h"
#include "sdgen/request.h"

namespace sdgen {

// A small file that changes a model's weights: LoRA ("LoRA: Low-Rank Adaptation of Large Language Models", Hu
// et al. 2021) as diffusers, PEFT and kohya write it; LyCORIS' Hadamard and Kronecker products and whole
// differences ("Navigating Text-To-Image Customization", Yeh et al. 2023); any of them with DoRA's magnitudes
// ("DoRA: Weight-Decomposed Low-Rank Adaptation", Liu et al. 2024).
struct Adapter {
  std::filesystem::path path;  // .safetensors, .pt or .bin; a folder with pytorch_lora_weights.safetensors
  double scale = 1.0;          // of the change; may be negative
};

// A new word, by textual inversion ("An Image is Worth One Word", Gal et al. 2022): vectors that a text
// encoder looks up for it. Files of diffusers ({token: vectors}), of AUTOMATIC1111 and for Stable Diffusion
// XL (clip_l, clip_g).
struct Embedding {
  std::filesystem::path path;  // .safetensors, .pt or .bin; a folder with learned_embeds.safetensors
  std::string token{};  // what a prompt calls it; empty: the file's own name of it, else the file's name
};

// What a model is put together from.
struct ModelFiles {
  // A diffusers folder, or a single file: .safetensors, or a PyTorch pickle (.ckpt, .pt), of which nothing is
  // executed. A single file carries no tokenizer: CLIP's vocabulary must be on this machine (README).
  std::filesystem::path model;
  bool ema = false;  // of a single file, the running mean of the UNet's weights that lies beside them
  // Parts from elsewhere by component name ("vae", "unet", "text_encoder", "text_encoder_2"): a component's
  // folder, a model's folder, or a file that holds it.
  std::map<std::string, std::filesystem::path> parts{};
  // A second model that does the last steps (Stable Diffusion XL's refiner), from Request::refiner_start on.
  std::optional<std::filesystem::path> refiner{};
  // ControlNets that steer the model by pictures, each by one of Request::control_image: diffusers folders,
  // or single files under original or diffusers' names.
  std::vector<std::filesystem::path> controlnets{};
  // A CLIP that ranks pictures for Request::best_of: a folder of a transformers CLIPModel. Absent: `ranker`
  // in the model's folder, or MODEL-ranker beside it, if there is one.
  std::optional<std::filesystem::path> ranker{};
  std::vector<Adapter> loras{};         // merged in this order when weights are read; not into the refiner
  std::vector<Embedding> embeddings{};  // not for the refiner either
};

// What a model folder says of itself, and what will compute it.
struct ModelInfo {
  std::string name;    // the folder's name
  std::string family;  // `_class_name` of model_index.json, e.g. StableDiffusionPipeline
  int width = 0;       // native size, pixels
  int height = 0;
  std::string sampler;          // the folder's own scheduler as a sampler name; empty if we have none like it
  double guidance_scale = 7.5;  // the folder's own defaults
  double guidance_rescale = 0.0;
  int steps = 30;
  std::string device;                      // "cpu", "cuda:0"
  std::string dtype;                       // "float32", "bfloat16", "float16"
  std::string quantize;                    // "none", "int8"
  int threads = 0;                         // CPU threads that run() computes with
  std::string refiner;                     // the refiner's name; empty: none
  bool takes_picture = false;              // it changes an init_image as the prompt says (InstructPix2Pix)
  std::vector<std::string> controlnets{};  // their names
  std::vector<std::string> loras{};        // "name:scale" of each
  std::vector<std::string> embeddings{};   // their tokens
  std::string ranker{};                    // its name; empty: none
};

// The picture so far: what the sampler takes its end to be. Small pictures are decoded for it, of others it
// is a rough linear projection of the latents, at most about 256 pixels a side.
struct Preview {
  std::size_t request_index = 0;
  int index = 0;  // 0 .. request.count - 1
  int step = 0;   // 1 .. steps
  int steps = 0;
  Image image;
};

// One finished picture.
struct Picture {
  std::size_t request_index = 0;  // into the `requests` of run()
  int index = 0;                  // 0 .. request.count - 1
  std::uint64_t seed = 0;         // request.seed + index; with best_of, that of the one that was kept
  Image image;
  double seconds = 0.0;  // its share of the batch it was computed in: text, steps and decode, without loading
  std::shared_ptr<const AttentionMaps> attention{};  // with RunOptions::attention
  std::optional<double> score{};  // with best_of: 100 times the cosine between prompt and picture
};

// After a sampler step of one batch.
struct StepProgress {
  int step = 0;               // 1 .. steps of this batch (PNDM counts its extra evaluation too)
  int steps = 0;              // of this batch
  std::size_t done = 0;       // picture-steps finished in the whole run
  std::size_t total = 0;      // picture-steps of the whole run
  double step_seconds = 0.0;  // this step, for all rows of the batch
};

// What all calls of one operator took within a stage.
struct OperatorTimes {
  std::string name;  // a layer, e.g. "conv 3x3 winograd", or an operator of libtorch, e.g. "aten::cat"
  std::size_t calls = 0;
  double seconds = 0.0;  // without layers inside it
  double gflop = 0.0;    // 10^9 multiplications and additions by the direct method; 0: not counted
};

// After a stage: "load" (once a component), "text_encode" (once a distinct text), "denoise_step", "decode",
// "rank" (once a picture that others are drawn to choose from).
struct StageEvent {
  std::string stage;
  std::string detail;  // component, e.g. "unet"; how it was decoded if not whole, e.g. "in tiles"; else empty
  double seconds = 0.0;
  std::uint64_t peak_memory_bytes = 0;     // of the process so far (resident set)
  std::vector<OperatorTimes> operators{};  // the dearest first, where RunOptions::operators
};

// What a run will hold in memory, part after part, estimated before any of it is read.
struct MemoryPlan {
  struct Part {
    std::string name;                  // a component, e.g. "unet", "controlnet canny"
    std::uint64_t weight_bytes = 0;    // kept while it works
    std::uint64_t streamed_bytes = 0;  // of its weights, read anew at every step (ComputeOptions::low_memory)
    std::uint64_t work_bytes = 0;      // beside the weights
  };
  std::vector<Part> parts;          // in the order in which they are used
  std::uint64_t process_bytes = 0;  // beside the parts: what the process holds already, and libraries take
  std::uint64_t peak_bytes = 0;     // of the process, if all else stays as it is; on a GPU, of its memory
  std::optional<std::uint64_t> available_bytes{};  // to the process, with what it has; nothing: not known
};

// Every member may be empty. Called on the thread that called run().
struct Observer {
  std::function<void(const StepProgress&)> on_step{};
  std::function<void(const Picture&)> on_picture{};
  std::function<void(const Preview&)> on_preview{};  // with RunOptions::preview_every
  // A picture that failed (e.g. not finite); the run goes on with the others. Without this, run() throws.
  std::function<void(std::size_t request_index, int index, const Error&)> on_failure{};
  // Things a user should know: words dropped past the text encoder's length, parts of a LoRA that fit nothing
  // (told by a generator's first run), ...
  std::function<void(const std::string&)> on_warning{};
  std::function<void(const StageEvent&)> on_stage{};
  std::function<void(const MemoryPlan&)> on_plan{};  // once a run, before it draws
  // Asked before each text, step and batch: true ends the run after the pictures already finished.
  std::function<bool()> should_stop{};
};

struct RunOptions {
  int batch_size = 1;      // pictures computed together, where their settings agree
  bool operators = false;  // each StageEvent tells its operators; costs time, on a GPU much of it
  // Pictures come with their attention maps; attention_steps: each evaluation by itself, too. Writing the
  // attention out costs time and memory.
  bool attention = false;
  bool attention_steps = false;
  int preview_every = 0;  // steps between previews; 0: none
};

// One run() of a Generator at a time; several Generators may run side by side, each on a thread of its own.
// Each computes with its own ComputeOptions::threads: the count is set for the thread that calls run(), and
// put back when run() returns or throws. What stays changed in the process: GPUs compute float32 in float32
// (no TF32), and malloc keeps what the CPU's tensors free for the next step (mallopt).
class Generator {
 public:
  // Opens a model: reads its configs and weight headers and checks that they fit together, names,
  // shapes and classes included. No weight is read before run(). Throws Error(kInput) naming file, key and
  // remedy; Error(kWorking) if the device asked for is not there; Error(kRequest) for options that contradict
  // each other.
  Generator(const ModelFiles& files, const ComputeOptions& compute);
  Generator(const std::filesystem::path& model, const ComputeOptions& compute);
  ~Generator();
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;

  const ModelInfo& info() const;

  // The request with every optional filled in (a random seed where absent). Throws Error(kRequest) for
  // anything that cannot be drawn: unknown sampler, steps or count < 1, sizes not multiples of 8, ...;
  // Error(kInput) if no sampler is named and the folder's own scheduler is none of ours.
  Request complete(const Request& request) const;

  // Draws every picture of every request, in order, `options.batch_size` together where settings agree.
  // Requests are completed first, so nothing is drawn if one is wrong. Each component is loaded at its first
  // use and freed after its last. Pictures do not depend on batch size or order but for the last bit of float
  // arithmetic. Returns false if should_stop ended it. Throws Error(kInput) if weights cannot be read or are
  // not finite, Error(kWorking) if the device or the memory fails.
  bool run(const std::vector<Request>& requests, const RunOptions& options, const Observer& observer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The A1111-style text that viewers show, for the PNG's `parameters` chunk: prompt, `Negative prompt: ...`,
// then `Steps: 30, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 512x512, Model: ...`. `request` must be
// complete; `seed` is the picture's own.
std::string parameters_text(const Request& request, std::uint64_t seed, const ModelInfo& model);

// What parameters_text(), or a program that writes the same form, tells of a picture.
struct PictureParameters {
  Request request;            // without attend, focus and edit_from; a sampler we do not have is left open
  std::string model;          // empty where it is not told
  std::string dtype;          // "float32" where it is not told
  std::string quantize;       // "none" where it is not told
  bool steered = false;       // by attend, focus or edit_from
  std::string loras{};        // "name:scale, name:scale"; empty: none
  std::string embeddings{};   // their tokens; empty: none
  std::string refiner{};      // its name; empty: none
  std::string controlnets{};  // "name;name"; empty: none
};

// Nothing if `text` is not of that form.
std::optional<PictureParameters> read_parameters(const std::string& text);

// Versions of this program and of the libraries it runs on, as (name, version), and for which level of processor its own
// loops ("kernels") and libtorch's ("cpu") are.
std::vector<std::pair<std::string, std::string>> versions();

}  // namespace sdgen
