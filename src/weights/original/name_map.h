// Names of layers in two programs, side by side; translates whole tensor names either way.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sdgen {

// A layer's parts, e.g. {"in_layers.0", "norm1"}.
struct LeafName {
  std::string_view original;
  std::string_view diffusers;
};

class NameMap {
 public:
  // The tensors below `original` are those below `diffusers`; with `leaves` only these, by their new names.
  // `leaves` must outlive the map.
  void add(const std::string& original, const std::string& diffusers, std::span<const LeafName> leaves = {});

  // Nothing where the name is not known.
  std::optional<std::string> to_diffusers(const std::string& key) const;
  std::optional<std::string> to_original(const std::string& key) const;

 private:
  struct Target {
    std::string prefix;
    std::span<const LeafName> leaves;
  };
  std::map<std::string, Target> to_diffusers_, to_original_;
};

}  // namespace sdgen
