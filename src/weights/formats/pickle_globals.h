// What a checkpoint's pickle may name.
#pragma once

#include <string_view>

namespace sdgen {

// "module.name" of a class or function that PyTorch and the programs that train with it leave in checkpoints.
// None is ever called; anything else is a sign of a file that was made to run code.
bool is_checkpoint_global(std::string_view name);

}  // namespace sdgen
