#include "base/noise.h"

#include <ATen/CPUGeneratorImpl.h>

namespace sdgen {

NoiseSource::NoiseSource(const std::vector<std::uint64_t>& seeds) {
  for (const std::uint64_t seed : seeds)
    generators_.push_back(at::make_generator<at::CPUGeneratorImpl>(seed));
}

Tensor NoiseSource::draw(at::IntArrayRef shape) {
  std::vector<std::int64_t> row_shape = {1};
  row_shape.insert(row_shape.end(), shape.begin(), shape.end());
  std::vector<Tensor> rows;
  for (const at::Generator& generator : generators_)
    rows.push_back(at::randn(row_shape, generator, at::kFloat));
  return at::cat(rows);
}

}  // namespace sdgen
