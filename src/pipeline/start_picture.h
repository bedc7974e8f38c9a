// The picture a batch starts from: read, resized, encoded, and made part of what is denoised.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "base/noise.h"
#include "diffusion/samplers/sampler.h"
#include "pipeline/components.h"
#include "pipeline/requests.h"

namespace sdgen {

// What the VAE says of a starting picture. float32.
struct EncodedPicture {
  LatentDistribution whole;
  LatentDistribution outside;  // of the picture with grey where the mask is white; undefined without a mask
  Tensor mask;                 // [1, 1, h, w] 1 where is to be painted; undefined without a mask
};

// init_image, mask, width, height
using PictureKey = std::tuple<std::string, std::string, int, int>;
using EncodedPictures = std::map<PictureKey, EncodedPicture>;

PictureKey picture_key(const Request& request);

// What encoding works with; all of it outlives the call.
struct EncodeSetting {
  const Model& model;
  const Compute& compute;
  Components& components;
  const Components::LoadCallback& on_load;
};

// The request's init_image and mask. In half precision a picture that does not stay finite is encoded again
// in float32. Throws Error(kInput) if a file cannot be read, Error(kWorking) if its latents are not finite.
EncodedPicture encode_start_picture(const EncodeSetting& setting, const Request& request);

// Where a batch begins.
struct StartLatents {
  Tensor x;         // [N, C, h, w] float32, at the plan's first level
  Tensor channels;  // see Conditioning; undefined: none
  // Puts what the mask keeps back into x after a step; empty where nothing is kept.
  StepCallback keep;
};

// Noise alone without a `picture`; else the picture as far as the plan's first step is from the noise, as
// diffusers' pipelines for pictures and masks make it, which draw from `noise` in this order too. `questions`
// as in Conditioning.
StartLatents start_latents(const EncodedPicture* picture, const Model& model, const Request& request,
                           const SamplingPlan& plan, int questions, NoiseSource& noise);

}  // namespace sdgen
