// PyTorch's own files (.ckpt, .pt, .pth, .bin; torch.save since 1.6): a zip of one pickle and the bytes of
// each storage.
#pragma once

#include <filesystem>
#include <memory>

#include "weights/tensor_source.h"

namespace sdgen {

// Maps `path` and reads its pickle, executing nothing (pickle.h). `state_dict` inside is unwrapped as often
// as it occurs; tensors of nested dictionaries are called "outer.inner"; what is no tensor is left out, but
// plain numbers and texts beside them are metadata(). A tensor by itself has the name "". Tensors are read as
// views of the mapping. Throws Error(kInput) naming the file and, where there is one, the key: no such file,
// the format before 1.6, a pickle that names what is no part of a checkpoint, tensors that reach past their
// storage.
std::shared_ptr<const TensorSource> open_pickle(const std::filesystem::path& path);

}  // namespace sdgen
