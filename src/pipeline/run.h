// One run of the chain over many requests.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/compute/recorder.h"
#include "base/compute/step_clock.h"
#include "base/finite_rows.h"
#include "base/stopwatch.h"
#include "decode/latent_preview.h"
#include "diffusion/guidance.h"
#include "pipeline/batch_rows.h"
#include "pipeline/components.h"
#include "sdgen/generator.h"

namespace sdgen {

class Run {
 public:
  // `requests` are complete. All references must outlive the run.
  Run(const Model& model, const Compute& compute, Components& components, VaeTiling vae_tiling,
      const std::vector<Request>& requests, const RunOptions& options, const Observer& observer);

  // Returns false if the observer ended it.
  bool draw();

 private:
  using Batch = std::vector<Job>;

  // The batches from `first` on whose texts are encoded at one go (at least one batch): their end, and the
  // texts.
  std::pair<std::size_t, std::vector<std::string>> next_texts(const std::vector<Batch>& batches,
                                                              std::size_t first) const;
  void encode_texts(const std::vector<std::string>& texts);
  void encode(const std::string& text);
  void draw_batch(const Batch& batch);
  // Sends a preview of the batch every so many evaluations, as Watchers::after.
  std::function<void(const Tensor&, const Tensor&, const Level&)> previews(const Batch& batch, int steps);
  struct Denoised {
    Tensor latents;  // of the batch; undefined where no row is finite
    std::vector<std::shared_ptr<const AttentionMaps>> attention;
  };
  Denoised denoise(const Batch& batch, FiniteRows& finite_rows);
  Denoiser watched_denoiser(const Batch& batch, Conditioning conditioning, Steering& steering, int steps);
  StepCallback after_step(StepClock& clock, std::size_t pictures, int steps, FiniteRows& finite_rows);
  void report_steps(StepClock& clock, std::size_t left, std::size_t pictures, int steps);
  std::vector<Image> decode(const Tensor& latents);  // an empty picture where it is not finite
  void warn_once(const std::string& warning);
  std::size_t evaluations(const Request& request) const;  // of the UNet for one picture
  void report_stage(const std::string& stage, const std::string& detail, double seconds) const;
  // "WHAT are not finite after STAGE (COMPONENT, dtype); remedy"
  static Error not_finite(const std::string& what, const std::string& component, const std::string& stage,
                          at::ScalarType dtype);
  // `seconds`: of steps and decoding; its texts are added.
  void report_picture(const Job& job, Image image, std::shared_ptr<const AttentionMaps> attention,
                      double seconds) const;
  void report_failure(const Job& job, const Error& error) const;

  const Model& model_;
  const Compute& compute_;
  Components& components_;
  const VaeTiling vae_tiling_;
  const std::vector<Request>& requests_;
  const RunOptions& options_;
  const Observer& observer_;
  Components::LoadCallback on_load_;
  double load_seconds_ = 0.0;  // of the components loaded so far
  Contexts contexts_;
  std::set<std::string> warned_;
  Recorder recorder_;  // of the UNet
  std::optional<LatentPreview> preview_;
  double preview_seconds_ = 0.0;  // within the step in work
  int reported_steps_ = 0;        // of the batch in work
  bool last_batch_ = false;
  std::size_t done_ = 0;   // picture-steps
  std::size_t total_ = 0;  // picture-steps
};

}  // namespace sdgen
