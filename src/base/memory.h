// How much memory there is to use.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>

namespace sdgen {

// Bytes the process can still take on `device` without swapping: on the CPU the least of what the system has
// available, the control group's limit leaves, and the address-space limit (ulimit -v) leaves; on a GPU its
// free memory. Nothing where it cannot be told. `root`: where /proc and /sys stand, for tests.
std::optional<std::uint64_t> available_memory_bytes(const at::Device& device,
                                                    const std::filesystem::path& root = "/");

// How malloc treats what the CPU's tensors free, in the whole process: what a step frees the next one takes
// again, which saves the system from clearing each page anew (a tenth of the time of a decode), but the
// pieces fit together badly: up to 3 times the bytes in use stay taken. release_freed_memory() still gives
// them back.
void keep_freed_memory();
// The other way: each large tensor is memory of its own, which is gone when it is freed.
void give_back_freed_memory();

// What the process holds now (resident set), bytes; 0 where the system does not tell.
std::uint64_t resident_memory_bytes();

}  // namespace sdgen
