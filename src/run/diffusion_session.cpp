#include "run/diffusion_session.h"

namespace sdgen {

DiffusionSession::DiffusionSession(const LoadedModel& base, const std::optional<LoadedModel>& refiner,
                                   const Compute& compute, bool keeps)
    : keeps_(keeps) {
  const auto add = [&](const LoadedModel& loaded, Part part) {
    workers.push_back({loaded.model,
                       loaded.components,
                       part,
                       {},
                       Recorder(open_graph_stream(compute), [this](const std::string& warning) {
                         if (teller_) teller_->warn_once(warning);
                       })});
  };
  add(base, refiner ? Part::kUntilRefiner : Part::kWhole);
  if (refiner) add(*refiner, Part::kRefiner);
}

void DiffusionSession::begin(Teller& teller) {
  teller_ = &teller;
  for (Worker& worker : workers)
    for (auto& [text, context] : worker.embeds) context.seconds = 0.0;  // read by an earlier run
}

void DiffusionSession::end() {
  teller_ = nullptr;
  if (keeps_) return;
  preview.reset();
  pictures.clear();
  controls.clear();
  for (Worker& worker : workers) {
    worker.recorder.forget();
    worker.embeds.clear();
    worker.components.release_all();
  }
}

}  // namespace sdgen
