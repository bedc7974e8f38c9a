// What a run tells while it goes on, and what it is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdgen/attention.h"
#include "sdgen/error.h"
#include "sdgen/image.h"
#include "sdgen/operator_times.h"

namespace sdgen {

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

// While a stage goes on, from its beginning: told often, between layers and tensors.
struct WorkProgress {
  std::string stage;         // as StageEvent's
  std::string detail;        // as StageEvent's
  std::uint64_t done = 0;    // of "load" bytes, of others layers
  std::uint64_t total = 0;   // likewise, about; 0: not known
  StepProgress run;          // the steps that are over, without their time; steps 0: no batch is in work yet
  std::size_t pictures = 0;  // of the batch in work
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
  std::function<void(const WorkProgress&)> on_work{};
  std::function<void(const Picture&)> on_picture{};
  std::function<void(const Preview&)> on_preview{};  // with RunOptions::preview_every
  // A picture that failed (e.g. not finite); the run goes on with the others. Without this, run() throws.
  std::function<void(std::size_t request_index, int index, const Error&)> on_failure{};
  // Things a user should know: words dropped past the text encoder's length, parts of a LoRA that fit nothing
  // (told by a generator's first run), ...
  std::function<void(const std::string&)> on_warning{};
  std::function<void(const StageEvent&)> on_stage{};
  std::function<void(const MemoryPlan&)> on_plan{};  // once a run, before it draws
  // Asked again and again, between the layers of a network and within the long ones: true ends the run there;
  // the pictures already finished stay.
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

}  // namespace sdgen
