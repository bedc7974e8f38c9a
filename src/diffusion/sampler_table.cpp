#include "diffusion/sampler_plans.h"
#include "sdgen/request.h"

namespace sdgen {
namespace {

constexpr SamplerTraits kDdim{.zero_snr = true, .eta = true};
constexpr SamplerTraits kDdpm{.zero_snr = true};
constexpr SamplerTraits kLcm{.spacing = false, .zero_snr = true};
constexpr SamplerTraits kTcd{.spacing = false, .zero_snr = true, .eta = true};
constexpr SamplerTraits kSigmas{.schedules = true};
constexpr SamplerTraits kSigmasZeroSnr{.schedules = true, .zero_snr = true};
constexpr SamplerTraits kMultistep{.schedules = true, .lu = true, .zero_snr = true};
constexpr SamplerTraits kSinglestep{.schedules = true, .spacing = false};

bool does(const Sampler& sampler, const SchedulerConfig& config) {
  if (sampler.scheduler_class.empty() || sampler.scheduler_class != config.class_name) return false;
  if (config.class_name == "DPMSolverMultistepScheduler")
    return (sampler.name == "dpm++2m-sde") == (config.algorithm_type == "sde-dpmsolver++") &&
           config.algorithm_type != "dpmsolver" && config.algorithm_type != "sde-dpmsolver";
  if (config.class_name == "DPMSolverSinglestepScheduler")
    return config.algorithm_type != "dpmsolver" && config.algorithm_type != "sde-dpmsolver++";
  return true;
}

// "sampler ddim takes no --schedule; these do: euler, ..."
void require(bool used, const Sampler& sampler, const std::string& flag, bool SamplerTraits::*trait) {
  if (used) return;
  std::vector<std::string> able;
  for (const Sampler& other : samplers())
    if (other.takes.*trait) able.push_back(other.name);
  fail_request("sampler ", sampler.name, " takes no ", flag, "; these do: ", join(able));
}

}  // namespace

const std::vector<Sampler>& samplers() {
  static const std::vector<Sampler> kSamplers = {
      {"ddim", "DDIMScheduler", "DDIM", kDdim, plan_ddim, sample_ddim},
      {"ddpm", "DDPMScheduler", "DDPM", kDdpm, plan_ddpm, sample_ddpm},
      {"pndm", "PNDMScheduler", "PLMS", {}, plan_pndm, sample_pndm},
      {"euler", "EulerDiscreteScheduler", "Euler", kSigmasZeroSnr, plan_euler, sample_euler},
      {"euler-a", "EulerAncestralDiscreteScheduler", "Euler a", kDdpm, plan_euler_ancestral,
       sample_euler_ancestral},
      {"heun", "HeunDiscreteScheduler", "Heun", kSigmas, plan_heun, sample_heun},
      {"dpm2", "KDPM2DiscreteScheduler", "DPM2", kSigmas, plan_dpm2, sample_dpm2},
      {"dpm2-a", "KDPM2AncestralDiscreteScheduler", "DPM2 a", kSigmas, plan_dpm2_ancestral,
       sample_dpm2_ancestral},
      {"dpm++2m", "DPMSolverMultistepScheduler", "DPM++ 2M", kMultistep, plan_dpmpp_2m, sample_dpmpp_2m},
      {"dpm++2m-sde", "DPMSolverMultistepScheduler", "DPM++ 2M SDE", kMultistep, plan_dpmpp_2m,
       sample_dpmpp_2m_sde},
      {"dpm++2s", "DPMSolverSinglestepScheduler", "DPM++ 2S", kSinglestep, plan_dpmpp_2s, sample_dpmpp_2s},
      {"dpm++2s-a", "", "DPM++ 2S a", kSigmas, plan_dpmpp_2s_ancestral, sample_dpmpp_2s_ancestral},
      {"unipc", "UniPCMultistepScheduler", "UniPC", kSigmasZeroSnr, plan_unipc, sample_unipc},
      {"lms", "LMSDiscreteScheduler", "LMS", kSigmas, plan_lms, sample_lms},
      {"deis", "DEISMultistepScheduler", "DEIS", kSigmas, plan_deis, sample_deis},
      {"lcm", "LCMScheduler", "LCM", kLcm, plan_lcm, sample_lcm},
      {"tcd", "TCDScheduler", "TCD", kTcd, plan_tcd, sample_tcd},
  };
  return kSamplers;
}

const Sampler& find_sampler(const std::string& name) {
  for (const Sampler& sampler : samplers())
    if (sampler.name == name) return sampler;
  fail_request(unknown_name("sampler", name, sampler_names()));
}

const Sampler* find_sampler_of(const SchedulerConfig& config) {
  for (const Sampler& sampler : samplers())
    if (does(sampler, config)) return &sampler;
  return nullptr;
}

void require_used(const Sampler& sampler, const Request& request) {
  const std::string schedule = request.schedule.value_or("normal");
  if (schedule == "lu")
    require(sampler.takes.lu, sampler, "schedule lu", &SamplerTraits::lu);
  else if (schedule != "normal")
    require(sampler.takes.schedules, sampler, concat("schedule ", schedule), &SamplerTraits::schedules);
  if (request.timestep_spacing)
    require(sampler.takes.spacing, sampler, "timestep-spacing", &SamplerTraits::spacing);
  if (request.zero_snr.value_or(false))
    require(sampler.takes.zero_snr, sampler, "zero-snr", &SamplerTraits::zero_snr);
  if (request.eta > 0.0) require(sampler.takes.eta, sampler, "eta", &SamplerTraits::eta);
}

}  // namespace sdgen
