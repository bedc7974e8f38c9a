// One run over many requests: batches through an engine, pictures to an observer.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "run/engine.h"
#include "run/ranker.h"

namespace sdgen {

// All pictures of complete `requests` in order, up to `batch_size` together where their settings agree.
// Throws Error(kRequest) for a batch_size that is not 1 to 4096, or more than 1,000,000 pictures.
std::vector<Batch> plan_batches(const std::vector<Request>& requests, int batch_size);

class Run : private Teller {
 public:
  // `requests` are complete; the `ranker` is needed where one has best_of. All references must outlive the
  // run.
  Run(Engine& engine, Ranker* ranker, const std::vector<Request>& requests, const RunOptions& options,
      const Observer& observer);

  // Returns false if the observer ended it.
  bool draw();

 private:
  void stage(const std::string& stage, const std::string& detail, double seconds) override;
  void step(int steps, double seconds) override;
  void warn_once(const std::string& warning) override;
  bool should_stop() override;

  void tell_of(const Work& work) const;
  void draw_batches(Drawing& drawing);
  void draw_batch(Drawing& drawing, std::size_t index);
  // One for each picture; failures where the batch fails and the run goes on.
  std::vector<Drawn> drawn_or_failed(Drawing& drawing, std::size_t index);
  // Reports the picture, or keeps it until all that it is chosen from are there.
  void offer(const PictureJob& job, Drawn drawn);
  void consider(Picture candidate, const std::string& prompt);
  void report_best();
  void report(Picture picture) const;
  void report_failure(const PictureJob& job, const Error& error) const;

  Engine& engine_;
  Ranker* ranker_;
  const std::vector<Request>& requests_;
  const Observer& observer_;
  std::vector<Batch> batches_;
  RunContext context_;
  std::vector<std::size_t> evaluations_;  // of each batch, for one picture
  const Drawing* drawing_ = nullptr;      // while it draws
  const Batch* batch_ = nullptr;          // in work
  std::size_t batch_index_ = 0;           // its
  std::optional<Picture> best_;           // so far, of the picture in work, where one of several is kept
  double candidate_seconds_ = 0.0;        // of all of them
  std::set<std::string> warned_;
  int reported_steps_ = 0;  // of the batch in work
  bool stopped_ = false;    // should_stop() was true
  std::size_t done_ = 0;    // picture-steps
  std::size_t total_ = 0;   // picture-steps
};

}  // namespace sdgen
