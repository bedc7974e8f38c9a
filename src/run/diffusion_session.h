// What diffusion keeps while it works, and between runs where it is asked to: models at work with the texts
// they have read and what is recorded of them, the last pictures, the preview's projection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/recent.h"
#include "compute/recorder.h"
#include "decode/latent_preview.h"
#include "models/components.h"
#include "run/batch_rows.h"
#include "run/control.h"
#include "run/engine.h"
#include "run/start_picture.h"

namespace sdgen {

// A model with its parts; both outlive the session.
struct LoadedModel {
  const Model& model;
  Components& components;
};

// A model at work: the texts it has read, and what is recorded of its network.
struct Worker {
  const Model& model;
  Components& components;
  Part part;
  PromptEmbedsOf embeds;
  Recorder recorder;
};

class DiffusionSession {
 public:
  // The `refiner`, where there is one, does the last steps of every picture. `keeps`: whatever a run has
  // loaded, read and recorded is there for the next.
  DiffusionSession(const LoadedModel& base, const std::optional<LoadedModel>& refiner, const Compute& compute,
                   bool keeps);
  DiffusionSession(const DiffusionSession&) = delete;  // its recorders point at it
  DiffusionSession& operator=(const DiffusionSession&) = delete;

  bool keeps() const { return keeps_; }

  // `teller` is told what recordings have to say, until end().
  void begin(Teller& teller);
  // Gives back all that is not kept.
  void end();

  std::vector<Worker> workers;                          // in the order of their steps; the first decodes
  Recent<PictureKey, EncodedPicture> pictures{8};       // lines often take turns with a few
  Recent<ControlKey, std::vector<Tensor>> controls{1};  // as large as pictures
  std::optional<LatentPreview> preview;                 // of the first worker's decoder

 private:
  bool keeps_;
  Teller* teller_ = nullptr;
};

}  // namespace sdgen
