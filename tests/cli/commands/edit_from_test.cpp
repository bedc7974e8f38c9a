#include "cli/commands/edit_from.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "sdgen/image.h"

namespace sdgen::cli {
namespace {

// A model that makes parameters_text() tell all that it can.
ModelInfo model() {
  ModelInfo info;
  info.name = "plain";
  info.dtype = "float32";
  info.quantize = "none";
  info.takes_picture = true;
  info.refiner = "polish";
  info.controlnets = {"edges"};
  return info;
}

// What Generator::complete() leaves.
Job complete_job() {
  Job job;
  job.prompt = "a cat";
  job.seed = 7;
  job.steps = 12;
  job.sampler = "ddim";
  job.guidance_scale = 7.5;
  job.guidance_rescale = 0.0;
  job.image_guidance_scale = 1.5;
  job.width = 64;
  job.height = 64;
  return job;
}

void give(Job& job, std::string_view field, const std::string& value) {
  set_field(job, *find_field(field), std::string(field), value);
}

std::string told_of(const Job& job, const ModelInfo& info) {
  return parameters_text(job, *job.seed, info);
}

// A picture with that text.
std::string picture_of(const std::string& text) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "edit_from_test.png";
  const Image black{8, 8, std::vector<std::uint8_t>(8 * 8 * 3)};
  write_file_atomically(path, encode_png(black, {{"parameters", text}}), true);
  return path.string();
}

// `job` as it edits a picture with that text.
PromptLine edited(Job job, const std::string& text) {
  job.edit_picture = picture_of(text);
  PromptFile file;
  file.lines.emplace_back().job = std::move(job);
  take_from_pictures(file);
  return file.lines.front();
}

// Other values than complete_job()'s, of all that an edit takes from its picture.
const std::map<std::string_view, std::string> kTaken = {{"negative-prompt", "rain"},
                                                        {"seed", "8"},
                                                        {"width", "96"},
                                                        {"height", "128"},
                                                        {"steps", "5"},
                                                        {"guidance-scale", "3"},
                                                        {"sampler", "dpm++2m"},
                                                        {"schedule", "karras"},
                                                        {"eta", "0.5"},
                                                        {"prediction-type", "v_prediction"},
                                                        {"timestep-spacing", "trailing"},
                                                        {"zero-snr", "true"},
                                                        {"guidance-rescale", "0.25"},
                                                        {"clip-skip", "1"},
                                                        {"refiner-start", "0.5"},
                                                        {"strength", "0.4"},
                                                        {"image-guidance-scale", "2"},
                                                        {"control-scale", "0.5"},
                                                        {"control-start", "0.25"},
                                                        {"control-end", "0.75"}};

// What the edit must name itself, what a warning is told of, and what is not the picture's.
const std::map<std::string_view, std::string> kGiven = {
    {"init-image", "start.png"}, {"mask", "mask.png"}, {"control-image", "edges.png"}};
const std::map<std::string_view, std::string> kWarned = {{"attend", "cat:2"}, {"focus", "cat=0,0,0.5,1"}};
const std::set<std::string_view> kNotRepeated = {"prompt", "count", "best-of", "edit-from", "output"};

// The names and values of the last line of a text whose values hold no comma.
std::map<std::string, std::string> entries_of(const std::string& text) {
  std::map<std::string, std::string> entries;
  const std::string line = text.substr(text.rfind('\n') + 1) + ", ";
  for (std::size_t at = 0, end; (end = line.find(", ", at)) != std::string::npos; at = end + 2) {
    const std::size_t colon = line.find(": ", at);
    entries[line.substr(at, colon - at)] = line.substr(colon + 2, end - colon - 2);
  }
  return entries;
}

// Each names the setting whose picture differs from complete_job()'s in nothing else.
struct Changed {
  std::string name;
  std::string text;
};

std::vector<Changed> changed_by_request() {
  std::vector<Changed> all;
  for (const auto& fields : {kTaken, kGiven, kWarned})
    for (const auto& [name, value] : fields) {
      Job job = complete_job();
      give(job, name, value);
      all.push_back({std::string(name), told_of(job, model())});
    }
  Job edit = complete_job();
  edit.edit_from = "a dog";
  all.push_back({"edit-from", told_of(edit, model())});
  return all;
}

std::vector<Changed> changed_by_model() {
  const std::vector<std::pair<std::string, std::function<void(ModelInfo&)>>> changes = {
      {"model", [](ModelInfo& m) { m.name = "other"; }},
      {"refiner", [](ModelInfo& m) { m.refiner = "varnish"; }},
      {"controlnet",
       [](ModelInfo& m) {
         m.controlnets = {"edges", "depth"};
       }},
      {"lora", [](ModelInfo& m) { m.loras = {"ink:1"}; }},
      {"embedding", [](ModelInfo& m) { m.embeddings = {"<ink>"}; }},
      {"dtype", [](ModelInfo& m) { m.dtype = "bfloat16"; }},
      {"quantize", [](ModelInfo& m) { m.quantize = "int8"; }}};
  std::vector<Changed> all;
  for (const auto& [name, change] : changes) {
    ModelInfo other = model();
    change(other);
    all.push_back({name, told_of(complete_job(), other)});
  }
  return all;
}

std::string warning_of(const std::string& text, const ModelInfo& info) {
  return edit_warning({"a.png", *read_parameters(text)}, info);
}

TEST(EditFrom, EveryRequestFieldIsTakenOrKnownNotToBe) {
  for (const RequestField& field : request_fields())
    EXPECT_EQ(kTaken.count(field.name) + kGiven.count(field.name) + kWarned.count(field.name) +
                  kNotRepeated.count(field.name),
              1u)
        << field.name;
}

TEST(EditFrom, TakesWhatThePictureWasDrawnWith) {
  for (const auto& fields : {kTaken, kGiven})
    for (const auto& [name, value] : fields) {
      Job drawn = complete_job(), asked;
      give(drawn, name, value);
      asked.prompt = drawn.prompt;
      if (kGiven.contains(name)) give(asked, name, value);
      const std::string text = told_of(drawn, model());
      EXPECT_NE(text, told_of(complete_job(), model())) << name << " is not told";
      Job job = edited(asked, text).job;
      EXPECT_EQ(job.edit_from.value_or(""), drawn.prompt);
      job.edit_from.reset();
      job.guidance_rescale = job.guidance_rescale.value_or(0.0);
      EXPECT_EQ(told_of(job, model()), text) << name << " is not taken";
    }
}

TEST(EditFrom, WhatTheLineGivesItselfWins) {
  Job drawn = complete_job();
  drawn.refiner_start = 0.5;
  drawn.eta = 0.5;
  Job asked;
  give(asked, "refiner-start", "0.8");
  give(asked, "eta", "0");
  give(asked, "steps", "3");
  const Job job = edited(asked, told_of(drawn, model())).job;
  EXPECT_EQ(job.refiner_start, 0.8);
  EXPECT_EQ(job.eta, 0.0);
  EXPECT_EQ(job.steps, 3);
}

// A name that parameters_text() writes one day without a sample here is found by this.
TEST(EditFrom, EveryNameOfAPicturesTextIsCovered) {
  const auto plain = entries_of(told_of(complete_job(), model()));
  std::set<std::string> all = {"Version"}, covered = {"Version"};
  for (const auto& changes : {changed_by_request(), changed_by_model()})
    for (const Changed& changed : changes)
      for (const auto& [name, value] : entries_of(changed.text)) {
        all.insert(name);
        if (!plain.contains(name) || plain.at(name) != value) covered.insert(name);
      }
  EXPECT_EQ(all, covered);
}

TEST(EditFrom, AnotherModelOrPartOfItIsTold) {
  EXPECT_EQ(warning_of(told_of(complete_job(), model()), model()), "");
  for (const Changed& changed : changed_by_model())
    EXPECT_NE(warning_of(changed.text, model()), "") << changed.name;
  for (const auto& [name, value] : kWarned) {
    Job job = complete_job();
    give(job, name, value);
    EXPECT_NE(warning_of(told_of(job, model()), model()), "") << name;
  }
}

TEST(EditFrom, ARefinerThatIsNotGivenIsNamed) {
  ModelInfo without = model();
  without.refiner.clear();
  EXPECT_EQ(warning_of(told_of(complete_job(), model()), without),
            "a.png was drawn with --refiner polish, this run has none: its layout may differ");
}

}  // namespace
}  // namespace sdgen::cli
