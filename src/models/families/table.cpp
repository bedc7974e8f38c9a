#include <algorithm>

#include "models/families/family.h"
#include "plain/errors.h"

namespace sdgen {

// One file a family; here is the only other place that knows its name.
Family sdxl_refiner_family();
Family inpainting_xl_family();
Family instruct_pix2pix_xl_family();
Family inpainting_family();
Family instruct_pix2pix_family();
Family upscaler_family();
Family depth_to_image_family();
Family unclip_family();
Family stable_diffusion_xl_family();
Family stable_diffusion_2_family();
Family stable_diffusion_1_family();
Family lcm_family();

// Those that a single file shows most plainly come first.
const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = {sdxl_refiner_family(),        inpainting_xl_family(),
                                                instruct_pix2pix_xl_family(), inpainting_family(),
                                                instruct_pix2pix_family(),    upscaler_family(),
                                                depth_to_image_family(),      unclip_family(),
                                                stable_diffusion_xl_family(), stable_diffusion_1_family(),
                                                stable_diffusion_2_family(),  lcm_family()};
  return kFamilies;
}

const Family& find_family(const std::string& pipeline_class, std::int64_t words, const std::string& file) {
  const Family* found = nullptr;
  std::vector<std::string> known;
  for (const Family& family : families()) {
    if (!family.open) continue;
    const std::vector<std::string>& classes = family.pipelines;
    known.insert(known.end(), classes.begin(), classes.end());
    if (std::find(classes.begin(), classes.end(), pipeline_class) == classes.end()) continue;
    if (!found || family.words == words) found = &family;
  }
  if (found) return *found;
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  fail_input(file, ": ", unknown_name("pipeline class", pipeline_class, known));
}

const Family& family_of_original(const OriginalFacts& facts) {
  return *std::find_if(families().begin(), families().end(),
                       [&](const Family& family) { return family.is_original && family.is_original(facts); });
}

std::string family_of_words(std::int64_t words) {
  for (const Family& family : families())
    if (words > 0 && family.words == words) return family.name;
  return "";
}

}  // namespace sdgen
