// Whether the parts of a LoRA fit together and to their layer, told from shapes alone.
#include <numeric>
#include <set>

#include "base/tensor.h"
#include "weights/adapters/lora_delta.h"

namespace sdgen {
namespace {

using Part = LoraPart;
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kMaxKernelRank = 16384;

Shape without_ones(Shape shape) {
  while (!shape.empty() && shape.back() == 1) shape.pop_back();
  return shape;
}

Shape joined(Shape front, const Shape& shape, std::size_t from) {
  for (std::size_t i = from; i < shape.size(); ++i) front.push_back(shape[i]);
  return front;
}

std::int64_t product(const Shape& shape, std::size_t from) {
  std::int64_t numbers = 1;
  for (std::size_t i = from; i < shape.size(); ++i) numbers *= shape[i];
  return numbers;
}

class Check {
 public:
  Check(const LoraFile& file, const LoraModule& module, const LoraLayer& layer)
      : file_(file), module_(module), layer_(layer) {
    for (const auto& [part, key] : module.keys) left_.insert(part);
    left_.erase(Part::kAlpha);
    for (const auto& [part, key] : module.keys)
      for (const std::int64_t size : file.tensors->find(key)->shape)
        if (size < 1) fail(key, "a rank and sizes of at least 1");
  }

  void run() {
    if (has(Part::kDown) || has(Part::kUp))
      check_low_rank();
    else if (has(Part::kHada1A) || has(Part::kHada1B) || has(Part::kHada2A) || has(Part::kHada2B))
      check_hadamard();
    else if (has(Part::kLokr1) || has(Part::kLokr1A) || has(Part::kLokr2) || has(Part::kLokr2A))
      check_kronecker();
    else if (has(Part::kDiff))
      expect(Part::kDiff, layer_.weight);
    if (has(Part::kDiffBias)) check_bias();
    check_magnitudes();
    if (left_.empty() && changes_anything()) return;
    const std::string key = left_.empty() ? module_.keys.begin()->second : module_.keys.at(*left_.begin());
    fail_input(file_.path, ": tensor '", key, "': what it belongs to is missing beside it; the file is ",
               "incomplete or of a form that is not known here");
  }

 private:
  bool has(Part part) const { return module_.keys.contains(part); }
  bool changes_anything() const { return changes_weight(module_) || changes_bias(module_); }

  const Shape& shape_of(Part part, const char* name) {
    const auto key = module_.keys.find(part);
    if (key == module_.keys.end())
      fail_input(file_.path, ": '", module_.name, "' has no ", name, "; the file is incomplete");
    left_.erase(part);
    const Shape& shape = file_.tensors->find(key->second)->shape;
    if (shape.size() < 2) fail(key->second, "a matrix");
    return shape;
  }

  // What it is multiplied with on the way is as large as its ranks and the layer together.
  const Shape& kernel_of(Part part, const char* name) {
    const Shape& shape = shape_of(part, name);
    if (shape[0] > kMaxKernelRank || shape[1] > kMaxKernelRank)
      fail(module_.keys.at(part), concat("ranks of at most ", kMaxKernelRank));
    return shape;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& expected) const {
    fail_input(file_.path, ": tensor '", key, "': expected ", expected, " for layer '", layer_.name, "' ",
               shape_text(layer_.weight), ", found ", shape_text(file_.tensors->find(key)->shape));
  }

  // Sizes of one at the end do not count: matrices stand for 1x1 convolutions and the other way round.
  void expect(Part part, const Shape& shape) {
    const std::string& key = module_.keys.at(part);
    left_.erase(part);
    if (without_ones(file_.tensors->find(key)->shape) != without_ones(shape)) fail(key, shape_text(shape));
  }

  std::int64_t outputs() const { return layer_.weight[0]; }

  void check_low_rank() {
    const std::int64_t rank = shape_of(Part::kDown, "down (lora_A) part")[0];
    shape_of(Part::kUp, "up (lora_B) part");
    if (!has(Part::kMid)) {
      expect(Part::kDown, joined({rank}, layer_.weight, 1));
      return expect(Part::kUp, {outputs(), rank});
    }
    const std::int64_t up_rank = kernel_of(Part::kMid, "mid part")[0];
    expect(Part::kDown, {rank, layer_.weight[1]});
    expect(Part::kMid, joined({up_rank, rank}, layer_.weight, 2));
    expect(Part::kUp, {outputs(), up_rank});
  }

  // One of LoHa's two matrices, or LoKr's second: a [out, r] b [r, in k k], or from a kernel t [i, j, k, k]
  // with a [i, out], b [j, in].
  void check_product(Part a, Part b, Part t, const Shape& whole) {
    const std::int64_t rank = shape_of(b, "second factor (_b)")[0];
    shape_of(a, "first factor (_a)");
    if (!has(t)) {
      expect(b, {rank, product(whole, 1)});
      return expect(a, {whole[0], rank});
    }
    const Shape kernel = kernel_of(t, "kernel");
    expect(t, joined({kernel[0], kernel[1]}, whole, 2));
    expect(a, {kernel[0], whole[0]});
    expect(b, {kernel[1], whole[1]});
  }

  void check_hadamard() {
    check_product(Part::kHada1A, Part::kHada1B, Part::kHadaT1, layer_.weight);
    check_product(Part::kHada2A, Part::kHada2B, Part::kHadaT2, layer_.weight);
  }

  void check_kronecker() {
    Shape first;
    if (has(Part::kLokr1)) {
      first = shape_of(Part::kLokr1, "first factor");
    } else {
      const Shape& b = shape_of(Part::kLokr1B, "lokr_w1_b");
      first = {shape_of(Part::kLokr1A, "lokr_w1_a")[0], b[1]};
      expect(Part::kLokr1A, {first[0], b[0]});
      expect(Part::kLokr1B, {b[0], first[1]});
    }
    const std::string& key = module_.keys.at(has(Part::kLokr1) ? Part::kLokr1 : Part::kLokr1A);
    if (without_ones(first).size() > 2 || outputs() % first[0] != 0 || layer_.weight[1] % first[1] != 0)
      fail(key, "a matrix whose sizes divide the layer's");
    const Shape second = joined({outputs() / first[0], layer_.weight[1] / first[1]}, layer_.weight, 2);
    if (has(Part::kLokr2)) return expect(Part::kLokr2, second);
    check_product(Part::kLokr2A, Part::kLokr2B, Part::kLokrT2, second);
  }

  void check_bias() {
    const std::string& key = module_.keys.at(Part::kDiffBias);
    if (layer_.bias.empty())
      fail_input(file_.path, ": tensor '", key, "': layer '", layer_.name, "' of the model has no bias");
    expect(Part::kDiffBias, layer_.bias);
  }

  void check_magnitudes() {
    for (const Part part : {Part::kMagnitude, Part::kDoraScale}) {
      if (!has(part) || !changes_weight(module_) || layer_.weight.size() < 2) continue;
      const std::string& key = module_.keys.at(part);
      const std::int64_t numbers = product(file_.tensors->find(key)->shape, 0);
      const bool by_input = part == Part::kDoraScale && numbers == layer_.weight[1];
      if (numbers != outputs() && !by_input) fail(key, concat(outputs(), " magnitudes"));
      left_.erase(part);
    }
  }

  const LoraFile& file_;
  const LoraModule& module_;
  const LoraLayer& layer_;
  std::set<Part> left_;  // parts that nothing has asked for yet
};

}  // namespace

void check_lora_module(const LoraFile& file, const LoraModule& module, const LoraLayer& layer) {
  const bool is_vector = module.keys.contains(Part::kDiff) || !changes_weight(module);
  if (layer.weight.size() < 2 && !is_vector)
    fail_input(file.path, ": '", module.name, "': layer '", layer.name,
               "' of the model has no matrix to change, ", "its weight is ", shape_text(layer.weight));
  Check(file, module, layer).run();
}

}  // namespace sdgen
