// Tensor files, what lies in them, and what is made of them.
#include <ATen/ATen.h>

#include "fuzz/targets.h"
#include "sdgen/inspect.h"
#include "support/safetensors_file.h"
#include "support/zip_file.h"
#include "weights/adapters/embedding_file.h"
#include "weights/adapters/lora_file.h"
#include "weights/formats/pickle_file.h"
#include "weights/formats/safetensors.h"
#include "weights/formats/weights_file.h"

namespace sdgen::fuzz {
namespace {

constexpr std::size_t kMaxTensors = 50;
constexpr std::int64_t kMaxNumbers = 1'000'000;

bool is_small(const TensorInfo& info) {
  std::int64_t numbers = 1;
  for (const std::int64_t size : info.shape)
    if (__builtin_mul_overflow(numbers, size, &numbers) || numbers > kMaxNumbers) return false;
  return true;
}

// Touches every number of the first tensors.
void read_all(const TensorSource& source) {
  source.metadata();
  std::size_t read = 0;
  for (const std::string& key : source.keys()) {
    if (++read > kMaxTensors) return;
    if (is_small(*source.find(key))) source.read(key).clone();
  }
}

void parse_safetensors(std::string_view bytes) {
  read_all(*open_safetensors(scratch_file("x.safetensors", bytes)));
}

void parse_safetensors_header(std::string_view bytes) {
  parse_safetensors(testing::safetensors_bytes(std::string(bytes), std::string(64, '\1')));
}

void parse_weight_index(std::string_view bytes) {
  static const auto shard =
      scratch_file("shards/a.safetensors",
                   testing::safetensors_bytes(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                              std::string(4, '\0')));
  read_all(*open_safetensors_shards(scratch_file("shards/x.safetensors.index.json", bytes)));
}

void parse_zip(std::string_view bytes) {
  read_all(*open_pickle(scratch_file("x.pt", bytes)));
}

void parse_pickle(std::string_view bytes) {
  parse_zip(testing::zip_bytes(
      {{"a/data.pkl", std::string(bytes)}, {"a/byteorder", "little"}, {"a/data/0", std::string(64, '\1')}}));
}

void parse_lora(std::string_view bytes) {
  open_lora(scratch_file("x.safetensors", bytes));
}

void parse_lora_config(std::string_view bytes) {
  static const auto lora = scratch_file(
      "lora/adapter_model.safetensors",
      testing::safetensors_bytes(
          R"({"base_model.model.mid_block.resnets.0.conv1.lora_A.weight":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
          R"("base_model.model.mid_block.resnets.0.conv1.lora_B.weight":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
          std::string(4, '\0')));
  scratch_file("lora/adapter_config.json", bytes);
  open_lora(lora);
}

void parse_embedding(std::string_view bytes) {
  read_embedding(scratch_file("x.safetensors", bytes));
}

void parse_inspected(std::string_view bytes) {
  inspect(scratch_file("x.bin", bytes));
}

}  // namespace

std::vector<FuzzTarget> weights_targets() {
  return {{"safetensors", parse_safetensors},
          {"safetensors_header", parse_safetensors_header},
          {"weight_index", parse_weight_index},
          {"zip", parse_zip},
          {"pickle", parse_pickle},
          {"lora", parse_lora},
          {"lora_config", parse_lora_config},
          {"embedding", parse_embedding},
          {"inspect", parse_inspected}};
}

}  // namespace sdgen::fuzz
