#include "cli/options/other_names.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

#include "sdgen/request.h"

namespace sdgen::cli {
namespace {

// Letters and digits, small; + becomes p, as others write it.
std::string bare(const std::string& name) {
  std::string text;
  for (const char c : name) {
    if (c == '+') text += 'p';
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

const std::map<std::string, std::string>& sampler_aliases() {
  static const std::map<std::string, std::string> kAliases = {
      {"eulerancestral", "euler-a"},
      {"eulerdiscrete", "euler"},
      {"eulerancestraldiscrete", "euler-a"},
      {"flowmatcheulerdiscrete", "euler"},
      {"heundiscrete", "heun"},
      {"dpm2ancestral", "dpm2-a"},
      {"dpm2discrete", "dpm2"},
      {"dpm2ancestraldiscrete", "dpm2-a"},
      {"dpmsolvermultistep", "dpm++2m"},
      {"dpmsolversinglestep", "dpm++2s"},
      {"dpmpp2msdegpu", "dpm++2m-sde"},
      {"dpmpp2sancestral", "dpm++2s-a"},
      {"plms", "pndm"},
      {"unipcmultistep", "unipc"},
      {"unipcbh2", "unipc"},
      {"lmsdiscrete", "lms"},
      {"deismultistep", "deis"},
  };
  return kAliases;
}

std::string known_sampler(const std::string& name) {
  for (const std::string& known : sampler_names())
    if (bare(known) == name) return known;
  const auto found = sampler_aliases().find(name);
  return found == sampler_aliases().end() ? "" : found->second;
}

// `text` without `part` at its end.
bool take_end(std::string& text, const std::string& part) {
  if (!text.ends_with(part) || text.size() == part.size()) return false;
  text.resize(text.size() - part.size());
  return true;
}

std::string among(const std::string& name, const std::map<std::string, std::string>& names) {
  const auto found = names.find(bare(name));
  return found == names.end() ? name : found->second;
}

}  // namespace

std::optional<NamedSampler> sampler_of_name(const std::string& name) {
  std::string text = bare(name);
  NamedSampler named;
  for (const std::string& schedule : schedule_names())
    if (named.schedule.empty() && take_end(text, schedule)) named.schedule = schedule;
  take_end(text, "scheduler");
  named.sampler = known_sampler(text);
  if (named.sampler.empty() && text.starts_with("k")) named.sampler = known_sampler(text.substr(1));
  if (named.sampler.empty()) return std::nullopt;
  return named;
}

std::string dtype_of_name(const std::string& name) {
  static const std::map<std::string, std::string> kNames = {
      {"fp32", "float32"},           {"f32", "float32"},          {"float", "float32"},
      {"full", "float32"},           {"fp16", "float16"},         {"f16", "float16"},
      {"half", "float16"},           {"torchfloat16", "float16"}, {"bf16", "bfloat16"},
      {"torchbfloat16", "bfloat16"}, {"torchfloat32", "float32"}};
  return among(name, kNames);
}

std::string device_of_name(const std::string& name) {
  static const std::map<std::string, std::string> kNames = {{"gpu", "cuda"}, {"nvidia", "cuda"}};
  return among(name, kNames);
}

std::string flag_hint(const std::string& flag) {
  static const std::map<std::string, std::string> kHints = {
      {"guidance", "--guidance-scale"},
      {"cfg", "--guidance-scale"},
      {"scale", "--guidance-scale"},
      {"numinferencesteps", "--steps"},
      {"numsteps", "--steps"},
      {"samplingsteps", "--steps"},
      {"samplingmethod", "--sampler"},
      {"samplername", "--sampler"},
      {"scheduler", "--sampler, and how sigmas are spread --schedule"},
      {"batchcount", "--count"},
      {"numimages", "--count"},
      {"numimagesperprompt", "--count"},
      {"niter", "--count"},
      {"nsamples", "--count"},
      {"negative", "--negative-prompt"},
      {"neg", "--negative-prompt"},
      {"uncond", "--negative-prompt"},
      {"initimg", "--init-image"},
      {"image", "--init-image"},
      {"img", "--init-image"},
      {"maskimage", "--mask"},
      {"denoise", "--strength"},
      {"denoisingstrength", "--strength"},
      {"checkpoint", "--model"},
      {"ckpt", "--model"},
      {"diffusionmodel", "--unet"},
      {"transformer", "--unet"},
      {"clip", "--text-encoder"},
      {"llm", "--text-encoder"},
      {"outdir", "--output"},
      {"out", "--output"},
      {"precision", "--dtype"},
      {"type", "--dtype"},
      {"offload", "--low-memory"},
      {"vaeoncpu", "--low-memory"},
      {"controlnetscale", "--control-scale"},
      {"skip", "--clip-skip"},
      {"s", "--steps N or --seed S"},
      {"r", "--init-image"},
      {"b", "--batch-size"},
  };
  const auto found = kHints.find(bare(flag));
  return found == kHints.end() ? "" : "here it is " + found->second;
}

}  // namespace sdgen::cli
