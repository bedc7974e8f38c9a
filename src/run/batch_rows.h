// The rows of one batch: what each is drawn from, and what its texts say to the network.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/guidance.h"
#include "run/engine.h"
#include "run/requests.h"
#include "run/steering.h"

namespace sdgen {

struct PromptEmbeds {
  Tensor hidden;  // [1, L, D]
  Tensor pooled;  // [1, P], or undefined
  std::vector<PromptWord> words;
  std::string dropped;   // words past the encoder's length
  double seconds = 0.0;  // to encode it
};
using PromptEmbedsOf = std::map<TextToEncode, PromptEmbeds>;

// Whether the network is asked without the words, too; some are told the guidance scale instead.
bool is_guided(const Request& request, const Model& model);

// How often the UNet is asked of each picture: Conditioning::branches() before there is one.
int guidance_branches_of(const Request& request, const Model& model);

// The texts that drawing `request` attends to.
std::vector<TextToEncode> texts_of(const Request& request, const Model& model);

// A prompt of the request, which is read as it says; negative prompts are read whole, as diffusers does.
TextToEncode prompt_text(const Request& request, const std::string& prompt);

// A picture, or, before the picture that is changed from it, an earlier one.
struct BatchRow {
  const Request& request;
  const std::string& prompt;
  std::uint64_t seed;
  bool is_picture;
};
std::vector<BatchRow> rows_of(const Batch& batch, const std::vector<Request>& requests);

// What the rows' texts and sizes say, token_weights and channels aside. Focused words by themselves stand
// behind the prompts.
Conditioning conditioning_of(const std::vector<BatchRow>& rows, const PromptEmbedsOf& embeds,
                             const Model& model);

// What steers and watches the rows. `height` and `width` count latents; each evaluation of the network
// asks `branches` times.
std::unique_ptr<Steering> steering_of(const std::vector<BatchRow>& rows, const PromptEmbedsOf& embeds,
                                      int branches, std::int64_t height, std::int64_t width,
                                      const SamplingPlan& plan, const RunOptions& options);

// A line for each word to be steered that the text encoder did not see.
std::vector<std::string> unsteered_words(const Request& request, const std::vector<PromptWord>& words);

}  // namespace sdgen
