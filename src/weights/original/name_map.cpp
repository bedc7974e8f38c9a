#include "weights/original/name_map.h"

namespace sdgen {
namespace {

bool is_below(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && name.size() > prefix.size() && name[prefix.size()] == '.';
}

// `rest` of a name below a layer, with its leaf renamed.
std::optional<std::string> with_leaf(std::string_view rest, std::span<const LeafName> leaves,
                                     std::string_view LeafName::*from, std::string_view LeafName::*to) {
  if (leaves.empty()) return std::string(rest);
  for (const LeafName& leaf : leaves)
    if (is_below(rest, leaf.*from)) return std::string(leaf.*to).append(rest.substr((leaf.*from).size()));
  return std::nullopt;
}

template <typename Targets>
std::optional<std::string> translated(const std::string& key, const Targets& targets,
                                      std::string_view LeafName::*from, std::string_view LeafName::*to) {
  // The longest known prefix: an up-sampler stands below the name that an attention has elsewhere.
  for (std::size_t end = key.rfind('.'); end != std::string::npos && end > 0; end = key.rfind('.', end - 1)) {
    const auto target = targets.find(key.substr(0, end));
    if (target == targets.end()) continue;
    const auto rest = with_leaf(std::string_view(key).substr(end + 1), target->second.leaves, from, to);
    return rest ? std::optional(target->second.prefix + "." + *rest) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void NameMap::add(const std::string& original, const std::string& diffusers,
                  std::span<const LeafName> leaves) {
  to_diffusers_.emplace(original, Target{diffusers, leaves});
  to_original_.emplace(diffusers, Target{original, leaves});
}

std::optional<std::string> NameMap::to_diffusers(const std::string& key) const {
  return translated(key, to_diffusers_, &LeafName::original, &LeafName::diffusers);
}

std::optional<std::string> NameMap::to_original(const std::string& key) const {
  return translated(key, to_original_, &LeafName::diffusers, &LeafName::original);
}

}  // namespace sdgen
