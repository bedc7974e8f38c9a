#include "base/work_watch.h"

#include <algorithm>
#include <utility>

namespace sdgen {
namespace {

thread_local WorkWatch* watching = nullptr;

const char kLoad[] = "load";
const char kStep[] = "denoise_step";

}  // namespace

WorkWatch::WorkWatch(std::function<void(const Work&)> tell, std::function<bool()> should_stop)
    : tell_(std::move(tell)), should_stop_(std::move(should_stop)), before_(std::exchange(watching, this)) {}

WorkWatch::~WorkWatch() {
  watching = before_;
}

void WorkWatch::tell() const {
  if (paused_ == 0 && tell_ && !work_.stage.empty()) tell_(work_);
}

void WorkWatch::stop_if_wanted() const {
  if (paused_ == 0 && should_stop_()) throw Stopped{};
}

WorkStage::WorkStage(std::string stage, std::string detail) : watch_(watching) {
  if (!watch_) return;
  if (stage == kLoad) watch_->built_ = 0;
  around_ = std::exchange(watch_->work_, Work{std::move(stage), std::move(detail)});
  watch_->tell();
}

WorkStage::~WorkStage() {
  if (watch_) watch_->work_ = std::move(around_);
}

WorkPause::WorkPause() : watch_(watching) {
  if (watch_) ++watch_->paused_;
}

WorkPause::~WorkPause() {
  if (watch_) --watch_->paused_;
}

RepeatedLayers::RepeatedLayers(bool repeats) : watch_(repeats ? watching : nullptr) {
  if (watch_) ++watch_->repeats_;
}

RepeatedLayers::~RepeatedLayers() {
  if (watch_) --watch_->repeats_;
}

void begin_step_work() {
  if (!watching) return;
  WorkWatch& watch = *watching;
  if (watch.work_.stage == kStep) watch.layers_a_step_ = watch.work_.done;
  watch.work_ = {kStep, "", 0, watch.layers_a_step_ > 0 ? watch.layers_a_step_ : watch.built_};
  watch.tell();
}

void layer_built() {
  if (watching && watching->work_.stage == kLoad) ++watching->built_;
}

void layer_begins() {
  if (!watching) return;
  watching->stop_if_wanted();
  if (watching->repeats_ > 0 || watching->work_.stage == kLoad) return;
  ++watching->work_.done;
  watching->tell();
}

void bytes_to_read(std::uint64_t bytes) {
  if (watching && watching->work_.stage == kLoad) watching->work_.total += bytes;
}

void bytes_read(std::uint64_t bytes) {
  if (!watching) return;
  watching->stop_if_wanted();
  if (watching->work_.stage != kLoad) return;  // a layer that is streamed
  watching->work_.done += bytes;
  watching->tell();
}

bool is_stop_wanted() {
  return watching && watching->paused_ == 0 && watching->should_stop_();
}

}  // namespace sdgen
