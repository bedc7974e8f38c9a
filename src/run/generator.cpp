#include "sdgen/generator.h"

#include <ATen/Version.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include "base/threads.h"
#include "compute/kernels/kernels.h"
#include "compute/operator_clock.h"
#include "compute/torch_errors.h"
#include "nn/methods/int8.h"
#include "plain/errors.h"
#include "run/diffusion_engine.h"
#include "run/run.h"
#include "text/prompt_marks.h"

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

Compute checked_compute(const ComputeOptions& options) {
  const Compute compute = choose_compute(options);
  if (compute.quantize == Quantize::kNone) return compute;
  if (!compute.device.is_cpu() || !multiplies_bytes())
    fail_working("--quantize int8 needs a CPU with AVX-512 BF16 and VNNI (and --device cpu); leave it out");
  if (compute.dtype == at::kHalf)
    fail_request("--quantize int8 goes with --dtype bfloat16 or float32, not float16");
  return compute;
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

std::vector<std::string> prompts_of(const std::vector<Request>& requests) {
  std::vector<std::string> prompts;
  for (const Request& request : requests) {
    prompts.push_back(request.prompt);
    prompts.push_back(request.negative_prompt);
  }
  return prompts;
}

}  // namespace

struct Generator::Impl {
  Compute compute;
  int threads;
  std::unique_ptr<Engine> engine;
  std::optional<Ranker> ranker;
  ModelInfo info;

  Impl(const ModelFiles& files, const ComputeOptions& options)
      : compute(checked_compute(options)),
        threads(thread_count(options.threads)),
        engine(open_diffusion_engine(files, options, compute, threads)) {
    const ThreadScope enough(threads);  // what cannot be had is refused here
    rank_by(ranker_folder(files));
  }

  Impl(std::unique_ptr<Engine> other, const std::optional<std::filesystem::path>& clip)
      : threads(thread_count(0)), engine(std::move(other)) {
    rank_by(clip);
  }

  void rank_by(const std::optional<std::filesystem::path>& clip) {
    info = engine->info();
    if (!clip) return;
    ranker.emplace(*clip, compute.device);
    info.ranker = ranker->name();
  }
};

Generator::Generator(const ModelFiles& files, const ComputeOptions& compute)
    : impl_(with_plain_errors([&] {
        const c10::InferenceMode inference;
        return std::make_unique<Impl>(files, compute);
      })) {}

Generator::Generator(const std::filesystem::path& model, const ComputeOptions& compute)
    : Generator(ModelFiles{.model = model}, compute) {}

Generator::Generator(std::unique_ptr<Engine> engine, const std::optional<std::filesystem::path>& ranker)
    : impl_(std::make_unique<Impl>(std::move(engine), ranker)) {}

Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

const ModelInfo& Generator::info() const {
  return impl_->info;
}

Request Generator::complete(const Request& request) const {
  return with_plain_errors([&] {
    Request complete = impl_->engine->complete(request);
    if (complete.best_of > 1 && !impl_->ranker)
      fail_request("best-of ", complete.best_of, ": model ", impl_->info.name,
                   " has no ranker; name a CLIP model's folder with ranker");
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
  for (const std::string& warning : impl_->engine->take_warnings())
    if (observer.on_warning) observer.on_warning(warning);
  if (const std::string warning = marks_warning(prompts_of(completed));
      !warning.empty() && observer.on_warning)
    observer.on_warning(warning);
  return with_plain_errors([&] {
    return Run(*impl_->engine, impl_->ranker ? &*impl_->ranker : nullptr, completed, options, told).draw();
  });
}

std::vector<std::pair<std::string, std::string>> versions() {
  return {{"sd-gen", SDGEN_VERSION},
          {"kernels", simd_name(best_simd())},
          {"libtorch", TORCH_VERSION},
          {"cpu", at::get_cpu_capability()}};
}

}  // namespace sdgen
