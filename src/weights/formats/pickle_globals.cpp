#include "weights/formats/pickle_globals.h"

#include <algorithm>
#include <array>

namespace sdgen {
namespace {

constexpr std::array<std::string_view, 36> kNames = {
    "_codecs.encode",
    "argparse.Namespace",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
    "copy_reg._reconstructor",
    "copyreg._reconstructor",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "torch.Size",
    "torch.device",
    "torch.Tensor",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    "torch.bfloat16",
    "torch.float8_e4m3fn",
    "torch.float8_e5m2",
    "torch.int8",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.uint8",
    "torch.uint16",
    "torch.uint32",
    "torch.uint64",
    "torch.bool",
    "torch.serialization._get_layout",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.PurePosixPath",
    "datetime.datetime",
};

constexpr std::array<std::string_view, 15> kBuiltIns = {"set",       "frozenset", "dict",  "list",  "tuple",
                                                        "int",       "float",     "str",   "bool",  "bytes",
                                                        "bytearray", "complex",   "slice", "range", "object"};

constexpr std::array<std::string_view, 14> kFamilies = {"torch._utils._rebuild_",
                                                        "torch._tensor._rebuild_",
                                                        "torch.storage.",
                                                        "torch.nn.",
                                                        "torch.optim.",
                                                        "pytorch_lightning.",
                                                        "lightning.",
                                                        "lightning_fabric.",
                                                        "lightning_utilities.",
                                                        "omegaconf.",
                                                        "typing.",
                                                        "ldm.",
                                                        "sgm.",
                                                        "transformers."};

}  // namespace

bool is_checkpoint_global(std::string_view name) {
  for (const std::string_view module : {"builtins.", "__builtin__."})
    if (name.starts_with(module))
      return std::find(kBuiltIns.begin(), kBuiltIns.end(), name.substr(module.size())) != kBuiltIns.end();
  if (name.starts_with("torch.") && name.ends_with("Storage")) return true;
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kFamilies.begin(), kFamilies.end(),
                     [&](std::string_view family) { return name.starts_with(family); });
}

}  // namespace sdgen
