// What turns requests into pictures: diffusion now, other kinds of generator beside it. Run feeds an engine
// with batches and does what is the same for all of them: counting, best-of, failures, what observers are
// told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/work_watch.h"
#include "sdgen/error.h"
#include "sdgen/model_files.h"
#include "sdgen/observer.h"
#include "sdgen/request.h"

namespace sdgen {

// One picture to draw.
struct PictureJob {
  std::size_t request_index = 0;
  int index = 0;  // 0 .. count * best_of - 1
  std::uint64_t seed = 0;
};

// Pictures that are computed together: their requests agree in all that separates_batches
// (plain/request_table.h).
using Batch = std::vector<PictureJob>;

// A picture of a batch, or why there is none.
struct Drawn {
  Image image{};
  double seconds = 0.0;  // its share of the batch, without loading and text
  std::shared_ptr<const AttentionMaps> attention{};
  std::optional<Error> failure{};
};

// What an engine at work tells and asks.
class Teller {
 public:
  virtual ~Teller() = default;
  // StageEvent's.
  virtual void stage(const std::string& stage, const std::string& detail, double seconds) = 0;
  // One more evaluation of the network is over, for all pictures of the batch; of `steps` in all.
  virtual void step(int steps, double seconds) = 0;
  virtual void warn_once(const std::string& warning) = 0;
  // What the observer said once stays said, whatever it answers later.
  virtual bool should_stop() = 0;
};

// A run as its engine sees it; all of it outlives the drawing.
struct RunContext {
  const std::vector<Request>& requests;  // complete
  const std::vector<Batch>& batches;
  const RunOptions& options;
  const Observer& observer;
  Teller& teller;
  std::uint64_t ranker_bytes = 0;  // what chooses among pictures keeps in memory beside

  const Request& settings(const Batch& batch) const { return requests[batch.front().request_index]; }
  // The picture's number among those of its request that are kept: 0 .. count - 1.
  int picture_index(const PictureJob& job) const { return job.index / requests[job.request_index].best_of; }
};

// An engine at work on one run. What the run alone needs lives as long.
class Drawing {
 public:
  virtual ~Drawing() = default;

  // One for each picture of the batch; called for each batch in order. Throws Stopped where should_stop() is
  // true within, Error(kWorking) for what fails this batch, any other Error for what fails the run.
  virtual std::vector<Drawn> draw(std::size_t batch) = 0;

  // What reading a request's texts took, seconds.
  virtual double text_seconds(const Request&) const { return 0.0; }
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const ModelInfo& info() const = 0;

  // See Generator::complete().
  virtual Request complete(const Request& request) const = 0;

  // How often the network is asked for one picture of a complete request.
  virtual std::size_t evaluations(const Request& request) const = 0;

  // So many pictures at most are drawn together in a run of these options.
  virtual int batch_size(const RunOptions& options) const { return options.batch_size; }

  virtual std::unique_ptr<Drawing> start(const RunContext& context) = 0;

  // What users should know of the files that were opened; each is told once.
  virtual std::vector<std::string> take_warnings() { return {}; }
};

}  // namespace sdgen
