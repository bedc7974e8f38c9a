// Diffusion at work on one run: texts and pictures encoded, batches denoised and decoded.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/finite_rows.h"
#include "compute/step_clock.h"
#include "diffusion/guidance.h"
#include "run/diffusion_session.h"
#include "run/memory_plan.h"

namespace sdgen {

// Evaluations of all networks for one picture of a complete request; `refiner`: null, or what does the last
// of them.
std::size_t evaluations_of(const Request& request, const Model& base, const Model* refiner);

class DiffusionDrawing : public Drawing {
 public:
  // All references must outlive it; no other drawing uses the session meanwhile.
  DiffusionDrawing(DiffusionSession& session, const Compute& compute, const MemoryUse& memory,
                   const RunContext& context);
  ~DiffusionDrawing() override;

  std::vector<Drawn> draw(std::size_t batch) override;
  double text_seconds(const Request& request) const override;

 private:
  // The batches from `first` on whose texts are encoded at one go (at least one batch): their end, and the
  // texts.
  std::pair<std::size_t, std::vector<TextToEncode>> next_texts(std::size_t first) const;
  void encode_texts(Worker& worker, const std::vector<TextToEncode>& texts);
  void encode(Worker& worker, const TextToEncode& text);
  // What users should know of a text that is drawn from.
  void tell_of(const Worker& worker, const TextToEncode& text);
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
  std::size_t last_new_picture() const;

  RunSize run_size() const;
  void plan_memory_use();
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
  std::vector<Drawn> pictures_of(const Batch& batch, FiniteRows& finite_rows, Denoised denoised,
                                 std::vector<Image> images, double seconds) const;
  // `latents`: what the model before left; undefined for the first. Attention is recorded only of that.
  Tensor denoise_share(const Share& share, const Batch& batch, const BatchPictures& pictures,
                       const std::vector<BatchRow>& rows, NoiseSource& noise, Tensor latents,
                       FiniteRows& finite_rows, std::vector<std::shared_ptr<const AttentionMaps>>& attention);
  Denoiser watched_denoiser(const Share& share, const Batch& batch, Conditioning conditioning,
                            Steering& steering);
  StepCallback after_step(const Share& share, StepClock& clock, std::size_t pictures, StepCallback keep,
                          FiniteRows& finite_rows);
  void report_steps(StepClock& clock, std::size_t left, int steps);
  std::vector<Image> decode(const Tensor& latents);  // an empty picture where it is not finite
  void warn_of_words(const Model& model, const std::string& text, const std::vector<PromptWord>& words);
  void warn_of_requests();
  int evaluations(const Request& request) const;  // of the networks for one picture
  // "WHAT are not finite after STAGE (COMPONENT, dtype); remedy"
  static Error not_finite(const std::string& what, const std::string& component, const std::string& stage,
                          at::ScalarType dtype);

  DiffusionSession& session_;
  std::vector<Worker>& workers_;
  const Compute& compute_;
  const MemoryUse& memory_;
  RunContext context_;
  LoadCallback on_load_;
  double load_seconds_ = 0.0;         // of the components loaded so far
  std::size_t encoded_batches_ = 0;   // the texts of so many first ones have been encoded
  std::set<TextToEncode> told_;       // texts kept from earlier runs that tell_of() has told of
  std::size_t last_new_picture_ = 0;  // see last_new_picture()
  double preview_seconds_ = 0.0;      // within the step in work
  bool last_batch_ = false;
};

}  // namespace sdgen
