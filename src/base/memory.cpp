#include "base/memory.h"

#include <ATen/ATen.h>
#include <malloc.h>
#include <sys/resource.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "base/control_groups.h"

// Older ones (of those we know) do not tell without CUDA's own headers.
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 13
#define SDGEN_DEVICE_MEMORY_IS_KNOWN
#include <c10/core/CachingDeviceAllocator.h>
#endif

namespace sdgen {
namespace {

namespace fs = std::filesystem;
using Bytes = std::optional<std::uint64_t>;

// The least of what is known.
Bytes least(const Bytes& a, const Bytes& b) {
  return a && b ? std::min(a, b) : (a ? a : b);
}

std::uint64_t rest(std::uint64_t limit, std::uint64_t used) {
  return limit > used ? limit - used : 0;
}

// The first number of a file; nothing for "max" or no file.
Bytes number_in(const fs::path& path) {
  std::uint64_t number = 0;
  if (std::ifstream(path) >> number) return number;
  return {};
}

// The number behind `name` in lines of "NAME NUMBER ...".
Bytes number_of(const std::string& name, const fs::path& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + " ")) return std::stoull(line.substr(name.size()));
  return {};
}

Bytes left_of_group(const fs::path& folder, const char* limit_name, const char* used_name,
                    const char* reclaimable_name) {
  const Bytes limit = number_in(folder / limit_name), used = number_in(folder / used_name);
  if (!limit || !used) return {};
  const std::uint64_t reclaimable = number_of(reclaimable_name, folder / "memory.stat").value_or(0);
  return rest(*limit, rest(*used, reclaimable));
}

Bytes left_of_groups(const fs::path& root) {
  Bytes left;
  for (const ControlGroup& group : control_groups("memory", root))
    left =
        least(left, group.is_v2 ? left_of_group(group.folder, "memory.max", "memory.current", "inactive_file")
                                : left_of_group(group.folder, "memory.limit_in_bytes",
                                                "memory.usage_in_bytes", "total_inactive_file"));
  return left;
}

Bytes left_of_address_space(const fs::path& root) {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  const Bytes pages = number_in(root / "proc/self/statm");
  if (!pages) return {};
  return rest(limit.rlim_cur, *pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
}

Bytes free_on(const at::Device& device) {
#ifdef SDGEN_DEVICE_MEMORY_IS_KNOWN
  at::empty({1}, at::TensorOptions().device(device));  // before its first tensor the allocator knows nothing
  if (auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()))) {
    const c10::CachingDeviceAllocator::DeviceStats stats = allocator->getDeviceStats(device.index());
    // What freed tensors left with the allocator is ours to use again.
    const std::int64_t kept = stats.reserved_bytes[0].current - stats.allocated_bytes[0].current;
    return allocator->getMemoryInfo(device.index()).first +
           static_cast<std::uint64_t>(std::max<std::int64_t>(kept, 0));
  }
#else
  static_cast<void>(device);
#endif
  return {};
}

}  // namespace

Bytes available_memory_bytes(const at::Device& device, const fs::path& root) {
  if (!device.is_cpu()) return free_on(device);
  Bytes system = number_of("MemAvailable:", root / "proc/meminfo");
  if (system) *system *= 1024;  // the kernel counts in KiB
  return least(least(system, left_of_groups(root)), left_of_address_space(root));
}

void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
}

void give_back_freed_memory() {
  constexpr int kLarge = 256 << 10, kMaxMappings = 1 << 15;  // the system's own limit is 65530
  mallopt(M_MMAP_THRESHOLD, kLarge);
  mallopt(M_MMAP_MAX, kMaxMappings);
  mallopt(M_TRIM_THRESHOLD, kLarge);
  mallopt(M_TOP_PAD, kLarge);
}

std::uint64_t resident_memory_bytes() {
  std::ifstream numbers("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  if (!(numbers >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace sdgen
