#include "cli/output/picture_sheet.h"

#include <algorithm>
#include <cmath>

namespace sdgen::cli {
namespace {

using Pictures = std::map<std::pair<std::size_t, int>, Picture>;

std::string pair_text(const std::pair<std::string, std::string>& swept) {
  return swept.first + " " + swept.second;
}

std::string title_of(const RunPlan& plan) {
  const std::string& first = plan.jobs.front().prompt;
  const bool is_one =
      std::all_of(plan.jobs.begin(), plan.jobs.end(), [&](const Job& job) { return job.prompt == first; });
  return is_one ? first : "";
}

std::size_t find_or_add(std::vector<std::string>& labels, const std::string& label) {
  const auto found = std::find(labels.begin(), labels.end(), label);
  if (found != labels.end()) return static_cast<std::size_t>(found - labels.begin());
  labels.push_back(label);
  return labels.size() - 1;
}

// "seed 7" where all pictures of a row have one, else nothing.
std::string seed_of(const std::vector<std::uint64_t>& seeds) {
  const bool is_one =
      std::all_of(seeds.begin(), seeds.end(), [&](auto seed) { return seed == seeds.front(); });
  return is_one ? "seed " + std::to_string(seeds.front()) : "";
}

ContactSheet sweep_sheet(const RunPlan& plan, const Pictures& pictures) {
  ContactSheet sheet;
  std::vector<std::vector<std::uint64_t>> seeds;  // of each row
  const SweptValues& axes = plan.swept[pictures.begin()->second.request_index];
  const bool sweeps_seeds =
      std::any_of(axes.begin(), axes.end(), [](const auto& axis) { return axis.first == "seed"; });
  for (const auto& [key, picture] : pictures) {
    const SweptValues& swept = plan.swept[picture.request_index];
    SweptValues down(swept.begin(), swept.end() - 1);
    std::string row = swept_text(down);
    if (plan.jobs[picture.request_index].count > 1)
      row += (row.empty() ? "" : ", ") + ("picture " + std::to_string(picture.index + 1));
    const std::size_t y = find_or_add(sheet.rows, row),
                      x = find_or_add(sheet.columns, pair_text(swept.back()));
    sheet.cells.resize(std::max(sheet.cells.size(), y + 1));
    sheet.cells[y].resize(std::max(sheet.cells[y].size(), x + 1));
    sheet.cells[y][x].image = picture.image;
    seeds.resize(sheet.rows.size());
    seeds[y].push_back(picture.seed);
  }
  for (std::size_t y = 0; y < sheet.rows.size(); ++y)
    if (const std::string seed = seed_of(seeds[y]); !seed.empty() && !sweeps_seeds)
      sheet.rows[y] += (sheet.rows[y].empty() ? "" : ", ") + seed;
  return sheet;
}

ContactSheet plain_sheet(const RunPlan& plan, const Pictures& pictures, bool one_prompt) {
  ContactSheet sheet;
  const auto across = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(pictures.size()))));
  for (const auto& [key, picture] : pictures) {
    if (sheet.cells.empty() || sheet.cells.back().size() == across) sheet.cells.emplace_back();
    const std::string seed = "seed " + std::to_string(picture.seed);
    sheet.cells.back().push_back({picture.image, one_prompt ? seed : plan.jobs[key.first].prompt});
  }
  return sheet;
}

}  // namespace

ContactSheet picture_sheet(const RunPlan& plan, const Pictures& pictures) {
  const std::string title = title_of(plan);
  ContactSheet sheet =
      plan.swept.empty() ? plain_sheet(plan, pictures, !title.empty()) : sweep_sheet(plan, pictures);
  sheet.title = title;
  return sheet;
}

}  // namespace sdgen::cli
