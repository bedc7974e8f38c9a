// Where tensors come from. Layers see Weights (weights.h) and never learn what is behind it.
#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sdgen {

// What a file says of a tensor, before any of it is read.
struct TensorInfo {
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  std::string file;        // for messages
  std::string stored_key;  // its name there, before any mapping
  // What it is stored as where a scale beside it makes the numbers (scaled_source.h).
  std::optional<at::ScalarType> codes{};
};

// What a file says beside its tensors: safetensors' __metadata__, the plain numbers and texts of a pickle.
using Metadata = std::map<std::string, std::string>;

class TensorSource {
 public:
  virtual ~TensorSource() = default;

  virtual std::string describe() const = 0;  // the file or index, for messages
  virtual Metadata metadata() const { return {}; }
  virtual std::vector<std::string> keys() const = 0;
  // nullptr if there is no such tensor.
  virtual const TensorInfo* find(const std::string& key) const = 0;
  // The tensor as stored, on the CPU; it may be a view of a file mapping that it keeps alive: never write to
  // it. `key` must be known to find(). Throws Error(kInput) if the file cannot deliver it.
  virtual at::Tensor read(const std::string& key) const = 0;
};

// The shapes of the tensors whose names begin with `prefix`.
std::vector<std::vector<std::int64_t>> shapes_below(const TensorSource& source,
                                                    const std::string& prefix = "");

// `source` under other names: key -> rename(key). Throws Error(kInput) if two keys get one name.
std::shared_ptr<const TensorSource> rename_keys(std::shared_ptr<const TensorSource> source,
                                                const std::function<std::string(const std::string&)>& rename);

// The tensors of `source` whose keys `keep` wants.
std::shared_ptr<const TensorSource> select_keys(std::shared_ptr<const TensorSource> source,
                                                const std::function<bool(const std::string&)>& keep);

// Several sources as one, e.g. the shards of a model. Throws Error(kInput) if two hold the same key.
std::shared_ptr<const TensorSource> join_sources(const std::string& description,
                                                 std::vector<std::shared_ptr<const TensorSource>> parts);

}  // namespace sdgen
