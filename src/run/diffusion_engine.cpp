#include "run/diffusion_engine.h"

#include <utility>

#include "compute/slow_dtype.h"
#include "models/adapters.h"
#include "models/components.h"
#include "plain/errors.h"
#include "run/diffusion_drawing.h"

namespace sdgen {
namespace {

Model open_model(const ModelFiles& files) {
  Model model = read_model(files);
  for (const std::filesystem::path& path : files.controlnets)
    model.controlnets.push_back(open_controlnet(path, model));
  add_adapters(model, files);
  return model;
}

// A model with its parts, which point at it.
struct OpenModel {
  Model model;
  Components components;

  OpenModel(const ModelFiles& files, const Compute& compute)
      : model(open_model(files)), components(model, compute) {}
  OpenModel(const OpenModel&) = delete;
  OpenModel& operator=(const OpenModel&) = delete;

  LoadedModel loaded() { return {model, components}; }
};

void check_refiner(const Model& base, const Model& refiner) {
  const std::string file = refiner.source.path().string();
  if (refiner.image_input != ImageInput::kNone)
    fail_input(file, ": not a refiner: its UNet takes a picture beside the latents");
  if (refiner.vae.latent_channels != base.vae.latent_channels ||
      refiner.vae.pixels_per_latent() != base.vae.pixels_per_latent())
    fail_input(file, ": its latents are not those of ", base.source.path().string(),
               "; it cannot go on from them");
}

class DiffusionEngine : public Engine {
 public:
  DiffusionEngine(const ModelFiles& files, const ComputeOptions& options, const Compute& compute, int threads)
      : compute_(compute), memory_(memory_use_of(options)), base_(files, compute) {
    if (const std::string slow = slow_dtype_warning(options, compute); !slow.empty())
      base_.model.warnings.push_back(slow);
    if (files.refiner) {
      refiner_.emplace(ModelFiles{.model = *files.refiner}, compute);
      check_refiner(base_.model, refiner_->model);
    }
    fill_info(files, threads);
    session_.emplace(base_.loaded(), refiner_ ? std::optional(refiner_->loaded()) : std::nullopt, compute_,
                     options.keep_loaded);
  }

  const ModelInfo& info() const override { return info_; }

  Request complete(const Request& request) const override {
    Request complete = complete_request(request, base_.model);
    if (refiner_) {  // what leaves a model no step is refused here
      plan_of(complete, base_.model, Part::kUntilRefiner);
      plan_of(complete, refiner_->model, Part::kRefiner);
    }
    return complete;
  }

  std::size_t evaluations(const Request& request) const override {
    return evaluations_of(request, base_.model, refiner_ ? &refiner_->model : nullptr);
  }

  // Maps are told of texts of one length only: where padding is not nothing, each picture's is its own.
  int batch_size(const RunOptions& options) const override {
    return options.attention && base_.model.text->lengths_differ() ? 1 : options.batch_size;
  }

  std::unique_ptr<Drawing> start(const RunContext& context) override {
    return std::make_unique<DiffusionDrawing>(*session_, compute_, memory_, context);
  }

  std::vector<std::string> take_warnings() override {
    std::vector<std::string> warnings;
    const auto take = [&](OpenModel& open) {
      for (std::string& warning : std::exchange(open.model.warnings, {}))
        warnings.push_back(std::move(warning));
      for (std::string& warning : open.components.take_warnings()) warnings.push_back(std::move(warning));
    };
    take(base_);
    if (refiner_) take(*refiner_);
    return warnings;
  }

 private:
  void fill_info(const ModelFiles& files, int threads) {
    const Model& model = base_.model;
    const Sampler* const own = find_sampler_of(model.scheduler);
    info_ = {.name = model.name,
             .family = model.family,
             .width = model.native_width(),
             .height = model.native_height(),
             .sampler = own ? own->name : "",
             .guidance_scale = model.guidance_scale,
             .guidance_rescale = model.guidance_rescale,
             .steps = model.steps,
             .device = device_name(compute_),
             .dtype = dtype_name(compute_.dtype),
             .quantize = compute_.quantize == Quantize::kInt8 ? "int8" : "none",
             .threads = threads,
             .refiner = refiner_ ? refiner_->model.name : "",
             .takes_picture = model.image_input == ImageInput::kPicture};
    for (const ControlNetModel& controlnet : model.controlnets) info_.controlnets.push_back(controlnet.name);
    for (const Adapter& lora : files.loras) info_.loras.push_back(adapter_text(lora));
    info_.embeddings = embedding_tokens(model);
  }

  Compute compute_;
  MemoryUse memory_;
  OpenModel base_;
  std::optional<OpenModel> refiner_;
  std::optional<DiffusionSession> session_;
  ModelInfo info_;
};

}  // namespace

std::unique_ptr<Engine> open_diffusion_engine(const ModelFiles& files, const ComputeOptions& options,
                                              const Compute& compute, int threads) {
  return std::make_unique<DiffusionEngine>(files, options, compute, threads);
}

}  // namespace sdgen
