// A tensor as a pickle describes it, checked.
#pragma once

#include <string>
#include <vector>

#include "weights/formats/pickle.h"
#include "weights/formats/zip_archive.h"
#include "weights/tensor_source.h"

namespace sdgen {

struct PickledTensor {
  TensorInfo info;
  std::vector<std::int64_t> strides;  // elements
  const std::uint8_t* data = nullptr;
};

// Whether `value` is a call that makes a tensor, or a parameter of one.
bool is_pickled_tensor(const PickleValue& value);

// The tensor that `value` makes. `storages`: where "data/0" stands in the archive, e.g. "archive/". Throws
// Error(kInput) naming file and key for one that reaches outside its storage, or whose numbers overlap.
PickledTensor pickled_tensor(const PickleValue& value, const std::string& key, const ZipArchive& archive,
                             const std::string& storages);

}  // namespace sdgen
