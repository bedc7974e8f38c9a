#include "sdgen/generator.h"

#include <ATen/Version.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include "base/threads.h"
#include "compute/kernels/kernels.h"
#include "compute/operator_clock.h"
#include "compute/slow_dtype.h"
#include "compute/torch_errors.h"
#include "models/adapters.h"
#include "models/components.h"
#include "nn/methods/int8.h"
#include "plain/errors.h"
#include "run/run.h"

namespace sdgen {
namespace {

Observer with_operators(const Observer& observer, OperatorClock& clock) {
  Observer told = observer;
  if (observer.on_stage)
    told.on_stage = [&](const StageEvent& event) {
      StageEvent with_table = event;
      with_table.operators = clock.take(event.seconds);
      observer.on_stage(with_table);
    };
  return told;
}

}  // namespace

namespace {

Compute checked_compute(const ComputeOptions& options) {
  const Compute compute = choose_compute(options);
  if (compute.quantize == Quantize::kNone) return compute;
  if (!compute.device.is_cpu() || !multiplies_bytes())
    fail_working("--quantize int8 needs a CPU with AVX-512 BF16 and VNNI (and --device cpu); leave it out");
  if (compute.dtype == at::kHalf)
    fail_request("--quantize int8 goes with --dtype bfloat16 or float32, not float16");
  return compute;
}

Model with_controlnets(Model model, const std::vector<std::filesystem::path>& paths) {
  for (const std::filesystem::path& path : paths) model.controlnets.push_back(open_controlnet(path, model));
  return model;
}

// A model with its parts, which point at it.
struct OpenModel {
  Model model;
  std::vector<std::string> warnings;  // of its files, not yet told
  Components components;

  explicit OpenModel(const std::filesystem::path& path, const Compute& compute)
      : model(read_model({.model = path})), components(model, compute) {}
  // With the adapters and ControlNets of `files`.
  OpenModel(const ModelFiles& files, const Compute& compute)
      : model(with_controlnets(read_model(files), files.controlnets)),
        warnings(add_adapters(model, files)),
        components(model, compute) {}
  OpenModel(const OpenModel&) = delete;
  OpenModel& operator=(const OpenModel&) = delete;

  LoadedModel loaded() { return {model, components}; }
};

void check_refiner(const Model& base, const Model& refiner) {
  const std::string file = refiner.source.path.string();
  if (refiner.image_input() != ImageInput::kNone)
    fail_input(file, ": not a refiner: its UNet takes a picture beside the latents");
  if (refiner.vae.latent_channels != base.vae.latent_channels ||
      refiner.vae.pixels_per_latent() != base.vae.pixels_per_latent())
    fail_input(file, ": its latents are not those of ", base.source.path.string(),
               "; it cannot go on from them");
}

// The one named, or the model's own: in its folder, or beside it.
std::optional<std::filesystem::path> ranker_folder(const ModelFiles& files) {
  if (files.ranker) return files.ranker;
  std::filesystem::path folder = files.model.lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // "model/"
  for (const std::filesystem::path& own :
       {folder / "ranker", std::filesystem::path(folder.string() + "-ranker")})
    if (std::filesystem::is_directory(own)) return own;
  return std::nullopt;
}

}  // namespace

struct Generator::Impl {
  Compute compute;
  int threads;
  MemoryUse memory;
  OpenModel base;
  std::optional<OpenModel> refiner;
  std::optional<Ranker> ranker;
  ModelInfo info;

  Impl(const ModelFiles& files, const ComputeOptions& options)
      : compute(checked_compute(options)),
        threads(thread_count(options.threads)),
        memory(memory_use_of(options)),
        base(files, compute) {
    const ThreadScope enough(threads);  // what cannot be had is refused here
    if (const std::string slow = slow_dtype_warning(options, compute); !slow.empty())
      base.warnings.push_back(slow);
    if (files.refiner) {
      refiner.emplace(ModelFiles{.model = *files.refiner}, compute);
      check_refiner(base.model, refiner->model);
    }
    if (const auto clip = ranker_folder(files)) ranker.emplace(*clip, compute.device);
    const Model& model = base.model;
    const Sampler* const own = find_sampler_of(model.scheduler);
    info = {model.name,
            model.family,
            model.native_width(),
            model.native_height(),
            own ? own->name : "",
            model.guidance_scale,
            model.guidance_rescale,
            model.steps,
            device_name(compute),
            dtype_name(compute.dtype),
            compute.quantize == Quantize::kInt8 ? "int8" : "none",
            threads,
            refiner ? refiner->model.name : "",
            model.image_input() == ImageInput::kPicture};
    for (const ControlNetModel& controlnet : model.controlnets) info.controlnets.push_back(controlnet.name);
    for (const Adapter& lora : files.loras) info.loras.push_back(adapter_text(lora));
    info.embeddings = embedding_tokens(model);
    if (ranker) info.ranker = ranker->name();
  }
};

Generator::Generator(const ModelFiles& files, const ComputeOptions& compute)
    : impl_(with_plain_errors([&] {
        const c10::InferenceMode inference;
        return std::make_unique<Impl>(files, compute);
      })) {}

Generator::Generator(const std::filesystem::path& model, const ComputeOptions& compute)
    : Generator(ModelFiles{.model = model}, compute) {}

Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

const ModelInfo& Generator::info() const {
  return impl_->info;
}

Request Generator::complete(const Request& request) const {
  return with_plain_errors([&] {
    Request complete = complete_request(request, impl_->base.model);
    if (complete.best_of > 1 && !impl_->ranker)
      fail_request("best-of ", complete.best_of, ": model ", impl_->base.model.name,
                   " has no ranker; name a CLIP model's folder with ranker");
    if (impl_->refiner) {  // what leaves a model no step is refused here
      plan_of(complete, impl_->base.model, Part::kUntilRefiner);
      plan_of(complete, impl_->refiner->model, Part::kRefiner);
    }
    return complete;
  });
}

bool Generator::run(const std::vector<Request>& requests, const RunOptions& options,
                    const Observer& observer) {
  const c10::InferenceMode inference;
  const ThreadScope threads(impl_->threads);
  std::vector<Request> completed;
  for (const Request& request : requests) completed.push_back(complete(request));
  std::optional<OperatorClock> clock;
  if (options.operators) clock.emplace(impl_->compute);
  const Observer told = clock ? with_operators(observer, *clock) : observer;
  for (const std::string& warning : std::exchange(impl_->base.warnings, {}))
    if (observer.on_warning) observer.on_warning(warning);
  return with_plain_errors([&] {
    const auto refiner =
        impl_->refiner ? std::optional<LoadedModel>(impl_->refiner->loaded()) : std::optional<LoadedModel>();
    return Run(impl_->base.loaded(), refiner, impl_->ranker ? &*impl_->ranker : nullptr, impl_->compute,
               impl_->memory, completed, options, told)
        .draw();
  });
}

std::vector<std::pair<std::string, std::string>> versions() {
  return {{"sd-gen", SDGEN_VERSION},
          {"kernels", simd_name(best_simd())},
          {"libtorch", TORCH_VERSION},
          {"cpu", at::get_cpu_capability()}};
}

}  // namespace sdgen
