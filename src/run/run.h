// One run of the chain over many requests.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/finite_rows.h"
#include "base/recent.h"
#include "base/stopwatch.h"
#include "compute/recorder.h"
#include "compute/step_clock.h"
#include "decode/latent_preview.h"
#include "diffusion/guidance.h"
#include "models/components.h"
#include "run/batch_rows.h"
#include "run/control.h"
#include "run/memory_plan.h"
#include "run/ranker.h"
#include "run/start_picture.h"
#include "sdgen/generator.h"

namespace sdgen {

// A model and its parts.
struct LoadedModel {
  const Model& model;
  Components& components;
};

class Run {
 public:
  // `requests` are complete. The `refiner`, where there is one, does the last steps of every picture; the
  // `ranker` is needed where a request has best_of. All references must outlive the run.
  Run(const LoadedModel& base, const std::optional<LoadedModel>& refiner, Ranker* ranker,
      const Compute& compute, const MemoryUse& memory, const std::vector<Request>& requests,
      const RunOptions& options, const Observer& observer);

  // Returns false if the observer ended it.
  bool draw();

 private:
  using Batch = std::vector<Job>;

  // A model at work: the texts it has read, and what is recorded of its UNet.
  struct Worker {
    const Model& model;
    Components& components;
    Part part;
    Contexts contexts;
    Recorder recorder;
  };
  Worker worker(const LoadedModel& loaded, Part part);

  // The batches from `first` on whose texts are encoded at one go (at least one batch): their end, and the
  // texts.
  std::pair<std::size_t, std::vector<TextToEncode>> next_texts(const std::vector<Batch>& batches,
                                                               std::size_t first) const;
  void encode_texts(Worker& worker, const std::vector<TextToEncode>& texts);
  void encode(Worker& worker, const TextToEncode& text);
  // The pictures that a batch starts from and is steered by; null: none.
  struct BatchPictures {
    const EncodedPicture* start = nullptr;
    const std::vector<Tensor>* control = nullptr;
  };
  // Reads and encodes what is not known from a batch just before. `more_follow`: the encoder is needed again.
  // Throws UnreadablePicture.
  struct UnreadablePicture {  // that batch fails, the others go on
    Error error;
  };
  BatchPictures read_pictures(const Request& request, bool more_follow);
  // The last batch that starts from a picture which none before it starts from.
  std::size_t last_new_picture(const std::vector<Batch>& batches) const;

  RunSize run_size(const std::vector<Batch>& batches) const;
  void plan_memory_use(const std::vector<Batch>& batches);
  // `picture_follows`: a later batch starts from a picture that is new then.
  void draw_batch(const Batch& batch, bool picture_follows);
  // The part of the steps that is one model's.
  struct Share {
    Worker& worker;
    SamplingPlan plan;
    int steps_before;  // evaluations of other models
    int steps;         // of all models

    // The number of a step among those of all models, from 1.
    int number_of(const Step& step) const { return steps_before + plan.number_of(step); }
  };
  // Sends a preview of the batch every so many evaluations, as Watchers::after.
  std::function<void(const Tensor&, const Tensor&, const Step&)> previews(const Share& share,
                                                                          const Batch& batch);
  struct Denoised {
    Tensor latents;  // of the batch; undefined where no row is finite
    std::vector<std::shared_ptr<const AttentionMaps>> attention;
  };
  Denoised denoise(const Batch& batch, const BatchPictures& pictures, FiniteRows& finite_rows);
  struct DrawnBatch {
    Denoised denoised;
    std::vector<Image> images;
    double seconds = 0.0;  // for each picture
  };
  // False: the batch failed, and that is told.
  bool compute_batch(const Batch& batch, bool picture_follows, FiniteRows& finite_rows, DrawnBatch& drawn);
  bool fail_batch(const Batch& batch, const Error& error);  // false
  // `latents`: what the model before left; undefined for the first. Attention is recorded only of that.
  Tensor denoise_share(const Share& share, const Batch& batch, const BatchPictures& pictures,
                       const std::vector<BatchRow>& rows, NoiseSource& noise, Tensor latents,
                       FiniteRows& finite_rows, std::vector<std::shared_ptr<const AttentionMaps>>& attention);
  Denoiser watched_denoiser(const Share& share, const Batch& batch, Conditioning conditioning,
                            Steering& steering);
  StepCallback after_step(const Share& share, StepClock& clock, std::size_t pictures, StepCallback keep,
                          FiniteRows& finite_rows);
  void report_steps(StepClock& clock, std::size_t left, std::size_t pictures, int steps);
  std::vector<Image> decode(const Tensor& latents);  // an empty picture where it is not finite
  // What the observer said once stays said, whatever it answers later: what was left out by then is missing.
  bool should_stop();
  void warn_once(const std::string& warning);
  void warn_of_words(const Model& model, const std::string& text, const std::vector<PromptWord>& words);
  std::size_t evaluations(const Request& request) const;  // of the UNets for one picture
  void report_stage(const std::string& stage, const std::string& detail, double seconds) const;
  // "WHAT are not finite after STAGE (COMPONENT, dtype); remedy"
  static Error not_finite(const std::string& what, const std::string& component, const std::string& stage,
                          at::ScalarType dtype);
  // Reports the picture, or keeps it until all that it is chosen from are there. `failure` in its place: it
  // could not be drawn.
  void offer(const Job& job, std::optional<Picture> picture, std::optional<Error> failure);
  void consider(Picture candidate, const std::string& prompt);
  void report_best();
  void report(Picture picture) const;
  int picture_index(const Job& job) const;  // 0 .. count - 1
  void report_failure(const Job& job, const Error& error) const;
  void release_all();

  const Compute& compute_;
  const MemoryUse& memory_;
  const std::vector<Request>& requests_;
  const RunOptions& options_;
  const Observer& observer_;
  Components::LoadCallback on_load_;
  double load_seconds_ = 0.0;                            // of the components loaded so far
  std::vector<Worker> workers_;                          // in the order of their steps; the first decodes
  Recent<PictureKey, EncodedPicture> pictures_{8};       // lines often take turns with a few
  Recent<ControlKey, std::vector<Tensor>> controls_{1};  // as large as pictures
  Ranker* ranker_;
  std::optional<Picture> best_;     // so far, of the picture in work, where one of several is kept
  double candidate_seconds_ = 0.0;  // of all of them
  std::set<std::string> warned_;
  std::optional<LatentPreview> preview_;
  double preview_seconds_ = 0.0;  // within the step in work
  int reported_steps_ = 0;        // of the batch in work
  bool last_batch_ = false;
  bool stopped_ = false;   // should_stop() was true
  std::size_t done_ = 0;   // picture-steps
  std::size_t total_ = 0;  // picture-steps
};

}  // namespace sdgen
