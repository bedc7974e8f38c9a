// The picture a batch starts from: read, resized, encoded, and made part of what is denoised.
#pragma once

#include <functional>
#include <string>
#include <tuple>

#include "base/noise.h"
#include "diffusion/samplers/sampler.h"
#include "models/components.h"
#include "run/requests.h"

namespace sdgen {

// What the VAE says of a starting picture. float32.
struct EncodedPicture {
  LatentDistribution whole;
  LatentDistribution outside;  // of the picture with grey where the mask is white; undefined without a mask
  Tensor mask;                 // [1, 1, h, w] 1 where is to be painted; undefined without a mask
};

// init_image, mask, width, height
using PictureKey = std::tuple<std::string, std::string, int, int>;

// What encode_start_picture() depends on.
PictureKey picture_key(const Request& request);

// A starting picture and its mask, in the request's size.
struct StartPixels {
  Tensor picture;  // [1, 3, H, W] RGB, -1 to 1
  Tensor mask;     // [1, 1, H, W] 1 where is to be painted; undefined without a mask
};

// The complete request's init_image and mask. Throws Error(kInput) if a file cannot be read.
StartPixels read_start_picture(const Request& request);

// What encoding works with; all of it outlives the call.
struct EncodeSetting {
  const Model& model;
  const Compute& compute;
  Components& components;
  const LoadCallback& on_load;
};

// In half precision a picture that does not stay finite is encoded again in float32. Throws Error(kInput) if
// the VAE's weights cannot be read, Error(kWorking) naming `file` if its latents are not finite.
EncodedPicture encode_start_picture(const EncodeSetting& setting, const StartPixels& pixels,
                                    const std::string& file);

// Where a batch begins.
struct StartLatents {
  Tensor x;         // [N, C, h, w] float32, at the plan's first level
  Tensor channels;  // see Conditioning; undefined: none
  // Puts what the mask keeps back into x after a step; empty where nothing is kept.
  StepCallback keep;
};

// Noise alone without a `picture`; else the picture as far as the plan's first step is from the noise, as
// diffusers' pipelines for pictures and masks make it, which draw from `noise` in this order too. `branches`
// as in Conditioning.
StartLatents start_latents(const EncodedPicture* picture, const Model& model, const Request& request,
                           const SamplingPlan& plan, int branches, NoiseSource& noise);

}  // namespace sdgen
