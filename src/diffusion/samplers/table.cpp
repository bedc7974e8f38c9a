#include "diffusion/samplers/sampler.h"
#include "sdgen/request.h"

namespace sdgen {

// One for each method, at the end of its file.
Sampler ddim(), ddpm(), pndm(), euler(), euler_ancestral(), heun(), dpm2(), dpm2_ancestral(), dpmpp_2m(),
    dpmpp_2m_sde(), dpmpp_2s(), dpmpp_2s_ancestral(), unipc(), lms(), deis(), lcm(), tcd(), ipndm(),
    res_multistep();

const std::vector<Sampler>& samplers() {
  static const std::vector<Sampler> kSamplers = {
      ddim(),           ddpm(),     pndm(),         euler(),    euler_ancestral(),    heun(),  dpm2(),
      dpm2_ancestral(), dpmpp_2m(), dpmpp_2m_sde(), dpmpp_2s(), dpmpp_2s_ancestral(), unipc(), lms(),
      deis(),           lcm(),      tcd(),          ipndm(),    res_multistep()};
  return kSamplers;
}

const Sampler& find_sampler(const std::string& name) {
  for (const Sampler& sampler : samplers())
    if (sampler.name == name) return sampler;
  fail_request(unknown_name("sampler", name, sampler_names()));
}

const Sampler* find_sampler_of(const SchedulerConfig& config) {
  for (const Sampler& sampler : samplers())
    if (!config.class_name.empty() &&
        (sampler.flow_class == config.class_name ||
         (sampler.scheduler_class == config.class_name && (!sampler.is_meant || sampler.is_meant(config)))))
      return &sampler;
  return nullptr;
}

namespace {

// "sampler ddim takes no --schedule; these do: euler, ..."
void require(bool used, const Sampler& sampler, const std::string& flag, bool SamplerTraits::*trait) {
  if (used) return;
  std::vector<std::string> able;
  for (const Sampler& other : samplers())
    if (other.takes.*trait) able.push_back(other.name);
  fail_request("sampler ", sampler.name, " takes no ", flag, "; these do: ", join(able));
}

}  // namespace

SamplingPlan Sampler::plan(const SchedulerConfig& config, const RunShape& shape) const {
  if (config.prediction_type == PredictionType::kFlow)
    require(takes.flow, *this, "flow models", &SamplerTraits::flow);
  return lay_out(config, shape);
}

void require_used(const Sampler& sampler, const ScheduleOverrides& asked) {
  const std::string schedule = asked.schedule.value_or("normal");
  if (schedule == "lu")
    require(sampler.takes.lu, sampler, "schedule lu", &SamplerTraits::lu);
  else if (schedule != "normal")
    require(sampler.takes.schedules, sampler, concat("schedule ", schedule), &SamplerTraits::schedules);
  if (asked.timestep_spacing)
    require(sampler.takes.spacing, sampler, "timestep-spacing", &SamplerTraits::spacing);
  if (asked.zero_snr.value_or(false))
    require(sampler.takes.zero_snr, sampler, "zero-snr", &SamplerTraits::zero_snr);
  if (asked.eta > 0.0) require(sampler.takes.eta, sampler, "eta", &SamplerTraits::eta);
}

}  // namespace sdgen
