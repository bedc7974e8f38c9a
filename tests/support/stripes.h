// A generator that is no model: stripes whose colours and widths the seed tells. For tests of all that is not
// a model's.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "run/engine.h"

namespace sdgen::testing {

class Stripes : public Engine {
 public:
  const ModelInfo& info() const override { return info_; }

  Request complete(const Request& request) const override {
    Request complete = request;
    complete.steps = request.steps.value_or(3);
    complete.width = request.width.value_or(info_.width);
    complete.height = request.height.value_or(info_.height);
    complete.seed = request.seed.value_or(1);
    complete.sampler = "ddim";
    complete.guidance_scale = request.guidance_scale.value_or(1.0);
    return complete;
  }

  std::size_t evaluations(const Request& request) const override {
    return static_cast<std::size_t>(*request.steps);
  }

  std::unique_ptr<Drawing> start(const RunContext& context) override {
    return std::make_unique<AtWork>(context);
  }

  static Image drawn(std::uint64_t seed, int width, int height) {
    Image image{width, height, {}};
    const std::uint64_t stripe = 2 + seed % 7;
    for (int y = 0; y < height; ++y)
      for (std::uint64_t x = 0; x < static_cast<std::uint64_t>(width); ++x)
        for (std::uint64_t channel = 0; channel < 3; ++channel)
          image.rgb.push_back(x / stripe % 2 == 0 ? static_cast<std::uint8_t>(seed * (channel + 37) + channel)
                                                  : 255);
    return image;
  }

 private:
  struct AtWork : Drawing {
    explicit AtWork(RunContext of) : context(std::move(of)) {}
    std::vector<Drawn> draw(std::size_t batch) override {
      const Request& settings = context.settings(context.batches[batch]);
      for (int step = 0; step < *settings.steps; ++step) {
        if (context.teller.should_stop()) throw Stopped{};
        context.teller.step(*settings.steps, 0.001);
      }
      std::vector<Drawn> pictures;
      for (const PictureJob& job : context.batches[batch])
        pictures.push_back({.image = drawn(job.seed, *settings.width, *settings.height), .seconds = 0.001});
      return pictures;
    }
    RunContext context;
  };

  ModelInfo info_{
      .name = "stripes", .family = "Stripes", .width = 32, .height = 16, .device = "cpu", .dtype = "float32"};
};

}  // namespace sdgen::testing
