// Tensors as another program wants them: renamed, cut, turned, joined; each made when it is read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weights/tensor_source.h"

namespace sdgen {

enum class TensorEdit {
  kNone,
  kFirstThird,  // of the rows: OpenCLIP's query, key and value in one matrix
  kSecondThird,
  kLastThird,
  kTransposed,
  kMatrix,       // without trailing sizes of one: [C, D, 1, 1] -> [C, D]
  kConvolution,  // [C, D] -> [C, D, 1, 1]
  kJoined,       // several stored tensors, one below the other
};

// One tensor, from what is stored under these names.
struct EditedTensor {
  std::vector<std::string> stored;
  TensorEdit edit = TensorEdit::kNone;
};

// The tensors of `edits` by their new names. Cuts are views of what `source` reads. Throws Error(kInput)
// naming file and key where a stored shape does not allow its edit.
std::shared_ptr<const TensorSource> edit_tensors(std::shared_ptr<const TensorSource> source,
                                                 std::map<std::string, EditedTensor> edits);

}  // namespace sdgen
