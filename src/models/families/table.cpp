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
Family z_image_family();

// Those that a single file shows most plainly come first.
const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = {sdxl_refiner_family(),
                                                inpainting_xl_family(),
                                                instruct_pix2pix_xl_family(),
                                                inpainting_family(),
                                                instruct_pix2pix_family(),
                                                upscaler_family(),
                                                depth_to_image_family(),
                                                unclip_family(),
                                                stable_diffusion_xl_family(),
                                                stable_diffusion_1_family(),
                                                stable_diffusion_2_family(),
                                                lcm_family(),
                                                z_image_family()};
  return kFamilies;
}

namespace {

// The class of a component in model_index.json; empty: there is none.
std::string listed_class(const Config& index, const std::string& component) {
  const Json entry = index.json.value(component, Json());
  return entry.is_array() && entry.size() == 2 && entry[1].is_string() ? entry[1].get<std::string>() : "";
}

// Whether a plain family's parts are all there.
bool has_parts(const Config& index, const Family& family) {
  if (listed_class(index, "unet") != "UNet2DConditionModel") return false;
  const std::string second = listed_class(index, "text_encoder_2");
  if ((family.texts.size() > 1) != !second.empty()) return false;
  return std::all_of(family.texts.begin(), family.texts.end(), [&](const FamilyText& text) {
    return listed_class(index, text.encoder) == text.class_name;
  });
}

bool is_of_class(const Family& family, const std::string& pipeline_class) {
  const std::vector<std::string>& classes = family.pipelines;
  return std::find(classes.begin(), classes.end(), pipeline_class) != classes.end();
}

}  // namespace

const Family& find_family(const Config& index, std::int64_t words) {
  const auto pipeline_class = index.at<std::string>("_class_name");
  const Family *named = nullptr, *built_alike = nullptr;
  std::vector<std::string> known;
  for (const Family& family : families()) {
    const bool fits_better = family.words == words;
    if (is_of_class(family, pipeline_class) && (!named || fits_better)) named = &family;
    if (!family.open) continue;
    known.insert(known.end(), family.pipelines.begin(), family.pipelines.end());
    if (family.words > 0 && has_parts(index, family) && (!built_alike || fits_better)) built_alike = &family;
  }
  if (named && !named->open)
    fail_input(index.path.string(), ": ", pipeline_class, " (", named->name, ") is not drawn with");
  if (named) return *named;
  if (built_alike) return *built_alike;
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  fail_input(index.path.string(), ": ", unknown_name("pipeline class", pipeline_class, known));
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
