// What the families that draw with a UNet2DConditionModel, CLIP and AutoencoderKL have in common.
#pragma once

#include "diffusion/networks/unet_config.h"
#include "diffusion/schedule.h"
#include "models/families/family.h"
#include "models/model.h"

namespace sdgen {

// One text encoder, of Stable Diffusion 1 and 2; two, of XL.
std::vector<FamilyText> one_text();
std::vector<FamilyText> two_texts();

// What a pipeline does to its parts' configs when it is made.
using AdjustConfigs = void (*)(SchedulerConfig& scheduler, UnetConfig& unet);

// Family::open of such a family: the last hidden state of one text, or the last but one of `two_texts`.
void open_unet_family(const Family& family, Model& model, AdjustConfigs adjust = nullptr);

// diffusers' Stable Diffusion pipelines take configs that say otherwise for outdated and override them.
void adjust_stable_diffusion(SchedulerConfig& scheduler, UnetConfig& unet);

// scheduler_config.json as the repositories of Stable Diffusion have it, with the prediction type of the
// file's markers, or where those are silent `v_by_default`; `beside`: more keys.
Json original_scheduler(const std::string& class_name, const Markers& markers, bool v_by_default = false,
                        const Json& beside = Json::object());

// Sides of the native picture, pixels, and the latents' scale.
void set_native_size(int pixels, double scaling_factor, OriginalConfigs& configs);

// What model_index.json says of Stable Diffusion 1 and 2.
void without_safety_checker(OriginalConfigs& configs);

// The configs of each generation, whatever its task.
void configure_1(const OriginalFacts& facts, OriginalConfigs& configs);
void configure_2(const OriginalFacts& facts, OriginalConfigs& configs);
void configure_xl(const OriginalFacts& facts, OriginalConfigs& configs);

// Which generation an original UNet is of.
bool is_xl(const OriginalFacts& facts);
bool is_2(const OriginalFacts& facts);

}  // namespace sdgen
