#include "run/run.h"

#include "base/stopwatch.h"
#include "compute/compute.h"
#include "compute/torch_errors.h"
#include "plain/errors.h"
#include "plain/request_table.h"
#include "run/requests.h"

namespace sdgen {
namespace {

constexpr int kMaxBatch = 4096;

std::uint64_t bytes_of_ranker(const Ranker* ranker, const std::vector<Request>& requests) {
  for (const Request& request : requests)
    if (request.best_of > 1) return ranker->bytes();
  return 0;
}

// Each of a run's requests is held to it by itself already.
void check_total(const std::vector<Request>& requests) {
  std::int64_t total = 0;
  for (const Request& request : requests) total += std::int64_t{request.count} * request.best_of;
  if (total > kMaxPictures)
    fail_request("a run draws ", total, " pictures, those that --best-of chooses from too; expected at most ",
                 kMaxPictures);
}

}  // namespace

std::vector<Batch> plan_batches(const std::vector<Request>& requests, int batch_size) {
  if (batch_size < 1 || batch_size > kMaxBatch)
    fail_request("batch-size ", batch_size, ": expected 1 to ", kMaxBatch);
  check_total(requests);
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (int k = 0; k < requests[i].count * requests[i].best_of; ++k) {
      const bool joins = !batches.empty() && batches.back().size() < static_cast<std::size_t>(batch_size) &&
                         same_settings(requests[batches.back().front().request_index], requests[i]) &&
                         !requests[i].edit_from;  // has a companion in its batch already
      if (!joins) batches.emplace_back();
      batches.back().push_back({i, k, *requests[i].seed + static_cast<std::uint64_t>(k)});
    }
  }
  return batches;
}

Run::Run(Engine& engine, Ranker* ranker, const std::vector<Request>& requests, const RunOptions& options,
         const Observer& observer)
    : engine_(engine),
      ranker_(ranker),
      requests_(requests),
      observer_(observer),
      batches_(plan_batches(requests, engine.batch_size(options))),
      context_{requests, batches_, options, observer, *this, bytes_of_ranker(ranker, requests)} {
  for (const Batch& batch : batches_) {
    evaluations_.push_back(engine.evaluations(context_.settings(batch)));
    total_ += batch.size() * evaluations_.back();
  }
}

bool Run::draw() {
  struct ReleasedRanker {
    Ranker* ranker;
    ~ReleasedRanker() {
      if (ranker) ranker->release();
    }
  } const released{ranker_};
  const WorkWatch watch([this](const Work& work) { tell_of(work); }, [this] { return should_stop(); });
  const std::unique_ptr<Drawing> drawing = engine_.start(context_);
  drawing_ = drawing.get();
  try {
    draw_batches(*drawing);
  } catch (const Stopped&) {
    if (best_) report_best();  // of those that were finished
    return false;
  }
  return true;
}

void Run::draw_batches(Drawing& drawing) {
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    if (should_stop()) throw Stopped{};
    draw_batch(drawing, i);
  }
}

void Run::draw_batch(Drawing& drawing, std::size_t index) {
  const Batch& batch = batches_[index];
  const std::size_t done_after = done_ + batch.size() * evaluations_[index];
  batch_ = &batch;
  batch_index_ = index;
  reported_steps_ = 0;
  std::vector<Drawn> drawn = drawn_or_failed(drawing, index);
  done_ = done_after;  // also where a batch ended early
  for (std::size_t i = 0; i < batch.size(); ++i) offer(batch[i], std::move(drawn[i]));
}

std::vector<Drawn> Run::drawn_or_failed(Drawing& drawing, std::size_t index) {
  try {
    return with_plain_errors([&] { return drawing.draw(index); });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kWorking || !observer_.on_failure) throw;
    return std::vector<Drawn>(batches_[index].size(), Drawn{.failure = error});
  }
}

void Run::stage(const std::string& stage, const std::string& detail, double seconds) {
  if (observer_.on_stage) observer_.on_stage({stage, detail, seconds, peak_memory_bytes()});
}

void Run::step(int steps, double seconds) {
  done_ += batch_->size();
  if (observer_.on_step) observer_.on_step({++reported_steps_, steps, done_, total_, seconds});
}

void Run::tell_of(const Work& work) const {
  if (!observer_.on_work) return;
  WorkProgress progress{work.stage, work.detail, work.done, work.total, {}, 0};
  progress.run = {reported_steps_, 0, done_, total_, 0.0};
  if (batch_) {
    progress.run.steps = static_cast<int>(evaluations_[batch_index_]);
    progress.pictures = batch_->size();
  }
  observer_.on_work(progress);
}

bool Run::should_stop() {
  stopped_ = stopped_ || (observer_.should_stop && observer_.should_stop());
  return stopped_;
}

void Run::warn_once(const std::string& warning) {
  if (warned_.insert(warning).second && observer_.on_warning) observer_.on_warning(warning);
}

void Run::report(Picture picture) const {
  const WorkPause whole;  // a picture that is finished is written
  picture.seconds += drawing_->text_seconds(requests_[picture.request_index]);
  if (observer_.on_picture) observer_.on_picture(picture);
}

void Run::offer(const PictureJob& job, Drawn drawn) {
  const Request& request = requests_[job.request_index];
  std::optional<Picture> picture;
  if (!drawn.failure)
    picture = Picture{.request_index = job.request_index,
                      .index = context_.picture_index(job),
                      .seed = job.seed,
                      .image = std::move(drawn.image),
                      .seconds = drawn.seconds,
                      .attention = std::move(drawn.attention)};
  if (request.best_of == 1)
    return picture ? report(std::move(*picture)) : report_failure(job, *drawn.failure);
  try {
    if (picture) with_plain_errors([&] { consider(std::move(*picture), request.prompt); });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kWorking || !observer_.on_failure) throw;
    drawn.failure = error;
  }
  const bool is_last = (job.index + 1) % request.best_of == 0;
  if (drawn.failure && !(is_last && !best_))
    warn_once(concat("not among those to choose from: ", drawn.failure->what()));
  if (!is_last) return;
  if (best_)
    report_best();
  else
    report_failure(job, *drawn.failure);
}

// Its seconds are those of all that it was chosen from.
void Run::report_best() {
  Picture kept = std::move(*best_);
  best_.reset();
  kept.seconds = std::exchange(candidate_seconds_, 0.0);
  report(std::move(kept));
}

void Run::consider(Picture candidate, const std::string& prompt) {
  if (!ranker_->is_loaded()) {
    const Stopwatch stopwatch;
    const WorkStage work("load", "ranker");
    ranker_->load();
    stage("load", "ranker", stopwatch.seconds());
  }
  const Stopwatch stopwatch;
  const WorkStage work("rank", "");
  candidate.score = ranker_->score(prompt, candidate.image);
  stage("rank", "", stopwatch.seconds());
  candidate_seconds_ += candidate.seconds + stopwatch.seconds();
  if (!best_ || *candidate.score > *best_->score) best_ = std::move(candidate);
}

void Run::report_failure(const PictureJob& job, const Error& error) const {
  if (!observer_.on_failure) throw error;
  observer_.on_failure(job.request_index, context_.picture_index(job), error);
}

}  // namespace sdgen
