// What goes on inside a stage of a run: told, and ended where somebody asks for it, from the layers and loops
// that do the work. All of it is of the calling thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sdgen {

// The observer ended the run: thrown through layers and samplers.
struct Stopped {};

// A stage in work: StageEvent's stage and detail.
struct Work {
  std::string stage;
  std::string detail;
  std::uint64_t done = 0;   // of "load" bytes, of others layers
  std::uint64_t total = 0;  // likewise; 0: not known yet
};

// While it lives, `tell` hears of the work, and the work is left by Stopped where `should_stop` says so.
class WorkWatch {
 public:
  WorkWatch(std::function<void(const Work&)> tell, std::function<bool()> should_stop);
  ~WorkWatch();
  WorkWatch(const WorkWatch&) = delete;
  WorkWatch& operator=(const WorkWatch&) = delete;

 private:
  friend class WorkStage;
  friend class WorkPause;
  friend class RepeatedLayers;
  friend void begin_step_work();
  friend void layer_built();
  friend void layer_begins();
  friend void bytes_to_read(std::uint64_t bytes);
  friend void bytes_read(std::uint64_t bytes);
  friend bool is_stop_wanted();

  void tell() const;
  void stop_if_wanted() const;

  std::function<void(const Work&)> tell_;
  std::function<bool()> should_stop_;
  Work work_;
  std::uint64_t built_ = 0;          // layers of what was loaded last
  std::uint64_t layers_a_step_ = 0;  // of the step before
  int paused_ = 0;
  int repeats_ = 0;  // RepeatedLayers that live
  WorkWatch* before_;
};

// A stage from construction to destruction; then the one around it goes on.
class WorkStage {
 public:
  WorkStage(std::string stage, std::string detail);
  ~WorkStage();
  WorkStage(const WorkStage&) = delete;
  WorkStage& operator=(const WorkStage&) = delete;

 private:
  WorkWatch* watch_;
  Work around_;
};

// While it lives nothing is told and nothing stopped: what must not be left halfway.
class WorkPause {
 public:
  WorkPause();
  ~WorkPause();
  WorkPause(const WorkPause&) = delete;
  WorkPause& operator=(const WorkPause&) = delete;

 private:
  WorkWatch* watch_;
};

// Layers that are applied piece by piece count once: while a RepeatedLayers lives that `repeats`, none does.
class RepeatedLayers {
 public:
  explicit RepeatedLayers(bool repeats);
  ~RepeatedLayers();
  RepeatedLayers(const RepeatedLayers&) = delete;
  RepeatedLayers& operator=(const RepeatedLayers&) = delete;

 private:
  WorkWatch* watch_;
};

// The next evaluation of a network. Its layers are as many as those of the one before, or, for the first, as
// were built when the network was loaded.
void begin_step_work();

void layer_built();
// Throws Stopped.
void layer_begins();

// Of the part that is being loaded, more bytes than before.
void bytes_to_read(std::uint64_t bytes);
// Throws Stopped.
void bytes_read(std::uint64_t bytes);

// Asked in the midst of a layer that takes long, by whoever can leave it. False where nobody watches.
bool is_stop_wanted();

}  // namespace sdgen
