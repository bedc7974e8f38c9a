#include "diffusion/text_lengths.h"

#include <map>
#include <utility>

#include "plain/errors.h"

namespace sdgen {
namespace {

// The rows of one length.
struct Group {
  std::int64_t length;
  std::vector<std::int64_t> rows;
};

std::vector<Group> groups_of(const std::vector<std::int64_t>& lengths) {
  std::map<std::int64_t, std::vector<std::int64_t>> by_length;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    by_length[lengths[i]].push_back(static_cast<std::int64_t>(i));
  std::vector<Group> groups;
  for (auto& [length, rows] : by_length) groups.push_back({length, std::move(rows)});
  return groups;
}

Tensor index_of(std::vector<std::int64_t> rows, std::int64_t modulus, const at::Device& device) {
  for (std::int64_t& row : rows) row %= modulus;
  return at::tensor(rows, at::kLong).to(device);
}

// Of a tensor with a row for each row of text, for each picture, or for all.
Tensor rows_of(const Tensor& tensor, const Group& group) {
  if (!tensor.defined() || tensor.size(0) == 1) return tensor;
  return tensor.index_select(0, index_of(group.rows, tensor.size(0), tensor.device()));
}

// What the group's calls say of all rows; those of other groups pay nothing.
std::function<void(const AttentionCall&, const Tensor&)> told_of_all(
    const std::function<void(const AttentionCall&, const Tensor&)>& on_cross, const Group& group,
    std::int64_t rows) {
  return [=](const AttentionCall& call, const Tensor& weights) {
    const Tensor of_group =
        weights.defined() ? weights : at::softmax(attention_scores(call.q, call.k, call.heads), -1);
    std::vector<std::int64_t> shape = of_group.sizes().vec();
    shape.front() = rows;
    on_cross(call, at::zeros(shape, of_group.options())
                       .index_copy_(0, index_of(group.rows, rows, of_group.device()), of_group));
  };
}

// [N, L] of the last of all rows -> of those in the group, which are its last ones, too.
Tensor weights_of(const Tensor& weights, const Group& group, std::int64_t rows) {
  if (!weights.defined()) return {};
  std::vector<std::int64_t> weighed;
  for (const std::int64_t row : group.rows)
    if (const std::int64_t place = row - (rows - weights.size(0)); place >= 0) weighed.push_back(place);
  if (weighed.empty()) return {};
  return weights.index_select(0, at::tensor(weighed, at::kLong).to(weights.device()))
      .narrow(1, 0, group.length);
}

NetworkInputs inputs_of(const NetworkInputs& all, const Group& group, std::int64_t pictures) {
  NetworkInputs inputs;
  inputs.context = rows_of(all.context, group).narrow(1, 0, group.length);
  inputs.added = {rows_of(all.added.pooled, group), rows_of(all.added.time_ids, group),
                  all.added.guidance_scale};
  inputs.channels = rows_of(all.channels, group);
  const std::int64_t rows = all.context.size(0);
  inputs.token_weights = weights_of(all.token_weights, group, rows);
  const bool has_last = group.rows.back() >= rows - pictures;
  if (all.hooks.on_cross && has_last) inputs.hooks.on_cross = told_of_all(all.hooks.on_cross, group, rows);
  return inputs;
}

}  // namespace

PreparedNetwork prepare_each_length(const Network& network, const NetworkInputs& inputs,
                                    const std::vector<std::int64_t>& lengths, std::int64_t pictures,
                                    const Compute& compute) {
  if (!inputs.controls.empty() || inputs.hooks.cross_weights || inputs.hooks.self)
    fail_request("ControlNets and steered words are not supported with texts of different lengths");
  struct Asked {
    Tensor pictures;  // [rows of the group] of x
    PreparedNetwork network;
    std::size_t constants;
  };
  std::vector<Asked> all;
  std::vector<std::int64_t> order(lengths.size());
  std::int64_t place = 0;
  PreparedNetwork prepared;
  for (const Group& group : groups_of(lengths)) {
    PreparedNetwork of_group = network.prepare(inputs_of(inputs, group, pictures), compute);
    prepared.constants.insert(prepared.constants.end(), of_group.constants.begin(), of_group.constants.end());
    const std::size_t constants = of_group.constants.size();
    all.push_back({index_of(group.rows, pictures, compute.device), std::move(of_group), constants});
    for (const std::int64_t row : group.rows) order[static_cast<std::size_t>(row)] = place++;
  }
  prepared.variant = all.front().network.variant;
  prepared.predict = [all = std::move(all), order = at::tensor(order, at::kLong).to(compute.device)](
                         const Tensor& x, const Tensor& timestep, Tensors::const_iterator constants,
                         int variant) {
    Tensors outputs;
    for (const Asked& asked : all) {
      outputs.push_back(
          asked.network.predict(x.index_select(0, asked.pictures), timestep, constants, variant));
      constants += static_cast<std::ptrdiff_t>(asked.constants);
    }
    return at::cat(outputs).index_select(0, order);
  };
  return prepared;
}

}  // namespace sdgen
