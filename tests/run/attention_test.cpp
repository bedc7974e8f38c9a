// Attention maps, and what steers attention, against diffusers with an attention processor of the same
// meaning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/pictures.h"

namespace sdgen {
namespace {

using testing::tensor_of;
using Kind = PromptWord::Kind;

struct Drawn {
  std::vector<Image> images;
  std::vector<std::shared_ptr<const AttentionMaps>> attention;
  std::vector<Preview> previews;
};

Drawn draw(Generator& generator, const Request& request, const RunOptions& options) {
  Drawn drawn;
  Observer observer;
  observer.on_picture = [&](const Picture& picture) {
    drawn.images.push_back(picture.image);
    drawn.attention.push_back(picture.attention);
  };
  observer.on_preview = [&](const Preview& preview) { drawn.previews.push_back(preview); };
  EXPECT_TRUE(generator.run({request}, options, observer));
  return drawn;
}

Generator open(const std::string& pipeline) {
  return {testing::golden_path("pipelines/" + pipeline), {.device = Device::kCpu, .dtype = DType::kFloat32}};
}

Generator open_built_in() {
  return {testing::golden_path("../../models/pictograms"),
          {.device = Device::kCpu, .dtype = DType::kFloat32}};
}

Request request_of(const Json& expected) {
  Request request = testing::request_of(expected);
  for (const auto& [word, weight] : expected["attend"].items()) request.attend.push_back({word, weight});
  return request;
}

Tensor token_maps(const AttentionMaps& maps) {
  return at::tensor(at::ArrayRef<float>(maps.token_maps)).view({maps.tokens, maps.height, maps.width});
}

Tensor token_maps(const Drawn& drawn) {  // [N, S, h, w]
  std::vector<Tensor> rows;
  for (const auto& maps : drawn.attention) rows.push_back(token_maps(*maps));
  return at::stack(rows);
}

TEST(Attention, EqualsDiffusersAndAddsUpToOne) {
  const Json cases = testing::golden_json("attention/attention.json").at("cases");
  const testing::GoldenTensors golden("attention/attention.safetensors");
  ASSERT_GE(cases.size(), 8u);
  for (const Json& expected : cases) {
    const std::string name = expected["name"];
    SCOPED_TRACE(name);
    Generator generator = open(expected["pipeline"]);
    const Request request = request_of(expected);
    for (const int batch_size : {1, 2}) {
      const Drawn drawn = draw(generator, request, {.batch_size = batch_size, .attention = true});
      ASSERT_EQ(drawn.attention.size(), static_cast<std::size_t>(request.count));
      EXPECT_TRUE(testing::is_same_picture(tensor_of(drawn.images), golden.at(name)));
      const Tensor maps = token_maps(drawn);
      EXPECT_TRUE(testing::is_close(maps, golden.at(name + ".token_maps"), 1e-5));
      EXPECT_TRUE(testing::is_close(maps.sum(1), at::ones_like(maps.select(1, 0)), 1e-5));
    }
    // What is only watched is not changed.
    EXPECT_TRUE(testing::is_same_picture(tensor_of(draw(generator, request, {}).images), golden.at(name)));
  }
}

TEST(Attention, IsNotKeptUnlessAskedFor) {
  Generator generator = open("sd15-tiny");
  EXPECT_EQ(draw(generator, {.prompt = "a cat", .steps = 2, .seed = 1, .width = 64, .height = 64}, {})
                .attention.front(),
            nullptr);
}

TEST(Attention, StepsAverageToTheWhole) {
  Generator generator = open("sd15-tiny");
  const Drawn drawn = draw(generator, {.prompt = "a red cat", .steps = 3, .seed = 1, .width = 96},
                           {.attention = true, .attention_steps = true});
  const AttentionMaps& maps = *drawn.attention.front();
  EXPECT_EQ(maps.evaluations, 4);  // this folder's pndm asks once more than it steps
  ASSERT_FALSE(maps.steps.empty());
  Tensor sum = at::zeros({1, maps.tokens, maps.height, maps.width});
  int layers = 0, area = 1 << 30;
  for (const AttentionSteps& steps : maps.steps) {
    EXPECT_LT(steps.height * steps.width, area) << "not the finest first";
    area = steps.height * steps.width;
    const Tensor all = at::tensor(at::ArrayRef<float>(steps.maps))
                           .view({maps.evaluations, maps.tokens, steps.height, steps.width});
    EXPECT_TRUE(testing::is_close(all.sum(1), at::ones_like(all.select(1, 0)), 1e-5));
    sum += steps.layers * at::upsample_bilinear2d(all.mean(0, true), {maps.height, maps.width}, false);
    layers += steps.layers;
  }
  EXPECT_TRUE(testing::is_close(sum[0] / layers, token_maps(maps), 1e-6));
}

TEST(Attention, WordsKnowTheirTokens) {
  Generator generator = open("sd15-tiny");
  const Drawn drawn =
      draw(generator, {.prompt = "a catlike, red cat", .steps = 1, .seed = 1, .width = 64, .height = 64},
           {.attention = true});
  const AttentionMaps& maps = *drawn.attention.front();
  std::vector<std::string> texts;
  std::vector<int> rows;
  for (const PromptWord& word : maps.words) {
    if (word.kind == Kind::kWord || word.kind == Kind::kPunctuation) texts.push_back(word.text);
    EXPECT_FALSE(word.tokens.empty());
    rows.insert(rows.end(), word.tokens.begin(), word.tokens.end());
  }
  EXPECT_THAT(texts, ::testing::ElementsAre("a", "catlike", ",", "red", "cat"));
  std::sort(rows.begin(), rows.end());
  std::vector<int> all(static_cast<std::size_t>(maps.tokens));
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(rows, all);  // each token belongs to one word, or to what stands around them
  EXPECT_EQ(maps.words.back().kind, Kind::kPadding);
  // A word's map is the sum of its tokens' maps.
  const auto word = std::find_if(maps.words.begin(), maps.words.end(),
                                 [](const PromptWord& w) { return w.text == "catlike"; });
  EXPECT_GT(word->tokens.size(), 1u);
  Tensor sum = at::zeros({maps.height, maps.width});
  for (const int token : word->tokens) sum += token_maps(maps)[token];
  const auto of_word = maps.word_map(static_cast<std::size_t>(word - maps.words.begin()));
  EXPECT_TRUE(testing::is_close(at::tensor(at::ArrayRef<float>(of_word)), sum.flatten(), 1e-6));
}

TEST(Attention, FocusMovesAWordIntoItsBox) {
  Generator generator = open("sd15-tiny");
  Request request{
      .prompt = "a red circle above a blue square", .steps = 4, .seed = 3, .width = 64, .height = 64};
  const auto inside = [&] {  // the part of the word's attention that falls on the left half
    const Drawn drawn = draw(generator, request, {.attention = true});
    const AttentionMaps& maps = *drawn.attention.front();
    const std::vector<float> map = maps.word_map(2);
    const Tensor word = at::tensor(at::ArrayRef<float>(map)).view({maps.height, maps.width});
    EXPECT_EQ(maps.words[2].text, "circle");
    return (word.narrow(1, 0, maps.width / 2).sum() / word.sum()).item<double>();
  };
  const double before = inside();
  request.focus = {{"circle", 0.0, 0.0, 0.5, 1.0}};
  EXPECT_GT(inside(), before + 0.1);
}

TEST(Attention, AFocusedWordMayBeginWithoutTokens) {
  // CLIP's tokenizer takes 's with its apostrophe, so that the word s has no token of its own.
  Generator generator = open("sd15-tiny");
  const Request request{.prompt = "'s apple",
                        .steps = 1,
                        .seed = 1,
                        .width = 64,
                        .height = 64,
                        .focus = {{"apple", 0, 0, 0.5, 1}}};
  const Drawn drawn = draw(generator, request, {.attention = true});
  const Tensor maps = token_maps(drawn);
  EXPECT_TRUE(testing::is_close(maps.sum(1), at::ones_like(maps.select(1, 0)), 1e-5));
}

TEST(Attention, AFocusedWordWeighsWhatAttendSays) {
  Generator generator = open_built_in();
  Request request{.prompt = "a red circle", .steps = 6, .seed = 1, .focus = {{"circle", 0, 0, 1, 1}}};
  const auto drawn = [&] { return tensor_of(draw(generator, request, {}).images); };
  const Tensor plain = drawn();
  request.attend = {{"circle", 1.0}};
  EXPECT_TRUE(testing::is_same_picture(drawn(), plain));
  const auto apart = [&](const Tensor& a) {
    return (a.to(at::kFloat) - plain.to(at::kFloat)).abs().mean().item<double>();
  };
  request.attend = {{"circle", 0.5}};
  const double half = apart(drawn());
  request.attend = {{"circle", 0.0}};
  const double none = apart(drawn());
  EXPECT_GT(half, 0.1);
  EXPECT_GT(none, half);
  EXPECT_GT(none, 1.0);
}

TEST(Attention, AnEditToTheSamePromptIsTheSamePicture) {
  for (const double guidance : {1.0, 7.5})
    for (const char* sampler : {"ddim", "euler-a"}) {
      Generator generator = open("sd15-tiny");
      Request request{.prompt = "a red circle",
                      .steps = 5,
                      .guidance_scale = guidance,
                      .sampler = sampler,
                      .seed = 3,
                      .width = 64,
                      .height = 64};
      const Tensor before = tensor_of(draw(generator, request, {}).images);
      request.edit_from = request.prompt;
      EXPECT_TRUE(testing::is_same_picture(tensor_of(draw(generator, request, {}).images), before));
    }
}

TEST(Attention, AnEditStaysNearerToItsPictureThanAPictureOfItsOwn) {
  Generator generator = open_built_in();
  const auto picture = [&](const std::string& prompt, std::uint64_t seed, std::optional<std::string> from) {
    const Request request{.prompt = prompt, .steps = 10, .seed = seed, .edit_from = std::move(from)};
    return tensor_of(draw(generator, request, {.batch_size = 4}).images).to(at::kFloat);
  };
  double all_edited = 0, all_own = 0;  // one seed's pictures may be alike by themselves
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    const Tensor base = picture("a red circle", seed, {});
    const auto distance = [&](const Tensor& other) { return (other - base).abs().mean().item<double>(); };
    const double edited = distance(picture("a green heart", seed, "a red circle"));
    EXPECT_GT(edited, 10.0);  // it is changed, though
    all_edited += edited;
    all_own += distance(picture("a green heart", seed, {}));
  }
  EXPECT_LT(all_edited, 0.97 * all_own);
}

TEST(Attention, PreviewsComeEveryFewStepsAndNotAtTheEnd) {
  Generator generator = open("sd2-tiny");
  const Request request{.prompt = "a cat", .steps = 6, .sampler = "ddim", .seed = 1, .width = 96, .count = 2};
  const Drawn drawn = draw(generator, request, {.batch_size = 2, .preview_every = 2});
  std::vector<std::pair<int, int>> seen;
  for (const Preview& preview : drawn.previews) {
    seen.emplace_back(preview.step, preview.index);
    EXPECT_EQ(preview.steps, 6);
    EXPECT_EQ(preview.image.width, 96);
    EXPECT_EQ(preview.image.height, 64);
  }
  EXPECT_THAT(seen,
              ::testing::ElementsAre(std::pair(2, 0), std::pair(2, 1), std::pair(4, 0), std::pair(4, 1)));
}

TEST(Attention, PreviewsOfTheBuiltInModelLookLikeThePicture) {
  Generator generator = open_built_in();
  const Request request{.prompt = "a big red square on a yellow background", .steps = 10, .seed = 5};
  const Drawn drawn = draw(generator, request, {.preview_every = 1});
  ASSERT_EQ(drawn.previews.size(), 9u);
  const auto coarse = [](const Image& image) {
    return at::avg_pool2d(tensor_of({image}).permute({0, 3, 1, 2}).to(at::kFloat), {16, 16});
  };
  const Tensor picture = coarse(drawn.images.front());
  const auto distance = [&](const Image& image) {
    return (coarse(image) - picture).abs().mean().item<double>();
  };
  EXPECT_LT(distance(drawn.previews.back().image), 25.0);
  EXPECT_LT(distance(drawn.previews.back().image), distance(drawn.previews.front().image) + 5.0);
}

TEST(Attention, WhatAWordCannotBeIsRefused) {
  const Generator generator = open("sd15-tiny");
  const auto error = [&](const Request& request) {
    try {
      generator.complete(request);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kRequest);
      return std::string(e.what());
    }
    return std::string();
  };
  const Request good{.prompt = "a red apple, a Red car",
                     .attend = {{"red", 0.5}, {"RED CAR", 2}, {"a#2", 1}},
                     .focus = {{"car", 0.5, 0, 1, 1}}};
  EXPECT_EQ(error(good), "");
  EXPECT_EQ(error({.prompt = "a red apple", .attend = {{"pear", 1}}}),
            "attend: the prompt has no 'pear'; its words: a, red, apple");
  EXPECT_EQ(error({.prompt = "a red apple", .focus = {{"red#2", 0, 0, 1, 1}}}),
            "focus: the prompt has no 'red#2'; its words: a, red, apple");
  EXPECT_THAT(error({.prompt = "a red apple", .focus = {{"red", 0.5, 0, 0.5, 1}}}),
              ::testing::HasSubstr("expected x0,y0,x1,y1 from 0 to 1"));
  EXPECT_THAT(error({.prompt = "a red apple", .focus = {{"red", 0, 0, 1, 1}}, .edit_from = "a cat"}),
              ::testing::HasSubstr("exclude each other"));
}

}  // namespace
}  // namespace sdgen
