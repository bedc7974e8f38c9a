#include "weights/tensor_source.h"

#include <map>

#include "plain/errors.h"

namespace sdgen {
namespace {

// A table from name to (part, name there): serves renaming and joining alike.
class MappedSource : public TensorSource {
 public:
  explicit MappedSource(std::string description) : description_(std::move(description)) {}

  void add_metadata(const Metadata& metadata) { metadata_.insert(metadata.begin(), metadata.end()); }

  void add(const std::string& name, std::shared_ptr<const TensorSource> part, const std::string& key) {
    const auto [existing, added] = entries_.try_emplace(name, Entry{std::move(part), key});
    if (!added)
      fail_input(description_, ": tensor '", name, "' is there twice (as '", existing->second.key, "' and '",
                 key, "')");
  }

  std::string describe() const override { return description_; }
  Metadata metadata() const override { return metadata_; }

  std::vector<std::string> keys() const override {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  const TensorInfo* find(const std::string& key) const override {
    const auto entry = entries_.find(key);
    return entry == entries_.end() ? nullptr : entry->second.part->find(entry->second.key);
  }

  at::Tensor read(const std::string& key) const override {
    const Entry& entry = entries_.at(key);
    return entry.part->read(entry.key);
  }

 private:
  struct Entry {
    std::shared_ptr<const TensorSource> part;
    std::string key;
  };
  std::string description_;
  Metadata metadata_;
  std::map<std::string, Entry> entries_;
};

}  // namespace

std::shared_ptr<const TensorSource> rename_keys(
    std::shared_ptr<const TensorSource> source,
    const std::function<std::string(const std::string&)>& rename) {
  auto renamed = std::make_shared<MappedSource>(source->describe());
  renamed->add_metadata(source->metadata());
  for (const std::string& key : source->keys()) renamed->add(rename(key), source, key);
  return renamed;
}

std::shared_ptr<const TensorSource> select_keys(std::shared_ptr<const TensorSource> source,
                                                const std::function<bool(const std::string&)>& keep) {
  auto selected = std::make_shared<MappedSource>(source->describe());
  selected->add_metadata(source->metadata());
  for (const std::string& key : source->keys())
    if (keep(key)) selected->add(key, source, key);
  return selected;
}

std::shared_ptr<const TensorSource> join_sources(const std::string& description,
                                                 std::vector<std::shared_ptr<const TensorSource>> parts) {
  auto joined = std::make_shared<MappedSource>(description);
  for (const auto& part : parts) {
    joined->add_metadata(part->metadata());
    for (const std::string& key : part->keys()) joined->add(key, part, key);
  }
  return joined;
}

std::vector<std::vector<std::int64_t>> shapes_below(const TensorSource& source, const std::string& prefix) {
  std::vector<std::vector<std::int64_t>> shapes;
  for (const std::string& key : source.keys())
    if (key.starts_with(prefix)) shapes.push_back(source.find(key)->shape);
  return shapes;
}

}  // namespace sdgen
