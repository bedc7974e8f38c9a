#include "cli/options/output_names.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>

#include "cli/options/output_pattern.h"
#include "cli/options/refuse.h"
#include "plain/utf8.h"
#include "sdgen/error.h"
#include "sdgen/picture_format.h"
#include "sdgen/printable.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNameBytes =
    240;  // of the 255 that file systems take, less a temporary file's ending
constexpr std::size_t kMaxPictures = 1'000'000;
const char kInFolder[] = "{index}-{seed}.png";

bool is_existing_folder(const std::string& output) {
  std::error_code ignored;
  return fs::is_directory(output, ignored);
}

bool is_folder(const std::string& output) {
  return output.ends_with('/') || is_existing_folder(output);
}

// The pattern of a job's pictures; a folder that exists is taken literally.
std::vector<Piece> pieces_of(const std::string& output) {
  if (!is_folder(output)) return parse_pattern(output);
  std::vector<Piece> pieces =
      is_existing_folder(output) ? std::vector<Piece>{{false, output}} : parse_pattern(output);
  if (!output.ends_with('/')) pieces.push_back({false, "/"});
  for (Piece& piece : parse_pattern(kInFolder)) pieces.push_back(std::move(piece));
  return pieces;
}

// "x.png" -> "x-1.png"
std::string numbered(const std::string& name, const std::string& number) {
  const std::string ending(picture_ending(name));
  return name.substr(0, name.size() - ending.size()) + "-" + number + ending;
}

// Standard output takes one picture, and files that are read by programs.
void require_one_for_stdout(const std::vector<std::vector<fs::path>>& names, std::size_t total) {
  const bool asks = std::any_of(names.begin(), names.end(), [](const auto& of_job) {
    return std::any_of(of_job.begin(), of_job.end(),
                       [](const fs::path& path) { return path == kStandardOutput; });
  });
  if (asks && total > 1)
    refuse("--output -: standard output takes one picture, this run has " + std::to_string(total) +
           "; name a folder");
}

// Two spellings of one file compare equal.
fs::path identity(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(fs::absolute(path), error);
  return error ? path.lexically_normal() : real;
}

std::size_t total_pictures(const std::vector<Job>& jobs) {
  std::size_t total = 0;
  for (const Job& job : jobs) total += static_cast<std::size_t>(job.count);
  if (total > kMaxPictures)
    refuse("a run of " + std::to_string(total) + " pictures; at most 1000000 at a time");
  return total;
}

std::string default_pattern(const std::vector<Job>& jobs) {
  std::set<std::uint64_t> seeds;
  for (const Job& job : jobs)
    for (int k = 0; job.output.empty() && k < job.count; ++k)
      if (!seeds.insert(*job.seed + static_cast<std::uint64_t>(k * job.best_of)).second)
        return "sd-gen-{index}-{seed}.png";
  return "sd-gen-{seed}.png";
}

void require_distinct(const std::vector<std::vector<fs::path>>& names) {
  std::set<fs::path> seen;
  for (const auto& of_job : names)
    for (const fs::path& path : of_job)
      if (!seen.insert(identity(path)).second)
        refuse("two pictures of this run would be written to " + path.string() +
               "; use {index} or {seed} in --output");
}

void require_writable_folder(const fs::path& folder) {
  std::error_code error;
  const fs::path shown = folder.empty() ? fs::path(".") : folder;
  if (!fs::exists(shown, error)) refuse("output folder " + shown.string() + " does not exist; make it first");
  if (!fs::is_directory(shown, error)) refuse("output folder " + shown.string() + " is not a folder");
  // Asking for permission is not enough: root may do anything, but /proc takes no files and a disk may be
  // read-only.
  const int nameless =
      open(shown.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);  // leaves nothing if we are killed
  if (nameless >= 0) {
    close(nameless);
    return;
  }
  std::string probe = (shown / ".sd-gen-XXXXXX").string();
  const int file = mkstemp(probe.data());
  if (file < 0) refuse("output folder " + shown.string() + " is not writable: " + std::strerror(errno));
  close(file);
  unlink(probe.c_str());
}

}  // namespace

// The nearest folder above `folder` that exists already must take new ones.
void require_makeable_folder(fs::path folder) {
  std::error_code error;
  folder = fs::absolute(folder, error);
  while (folder.has_relative_path() && !fs::exists(folder, error)) folder = folder.parent_path();
  require_writable_folder(folder);
}

void require_free(const fs::path& path, bool overwrite, const std::string& flag) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::directory) refuse("output " + path.string() + " is a folder");
  if (fs::exists(status) && !overwrite)
    refuse("output " + path.string() + " exists already; use --overwrite or another " + flag);
  if (path.filename().string().size() > kMaxNameBytes)
    refuse("output name of more than 240 bytes: " + path.filename().string());
}

void check_output(const std::string& output) {
  if (!invalid_utf8(output) && printable(output, 6 * output.size()) != output)
    refuse("output '" + output + "' holds control characters; the names of pictures are printed");
  if (output.empty() || output == kStandardOutput || is_existing_folder(output)) return;
  const auto pieces = parse_pattern(output);
  if (is_folder(output)) return;
  if (!picture_format(output))
    refuse("output '" + output +
           "' is neither a .png, .jpg or .webp name nor a folder; a new folder's name ends in /");
}

std::vector<std::vector<fs::path>> output_names(const std::vector<Job>& jobs, const std::string& model) {
  const std::size_t total = total_pictures(jobs);
  const std::string fallback = default_pattern(jobs);
  std::size_t shared = 0;  // pictures under the command line's own name
  for (const Job& job : jobs) shared += job.own_output ? 0 : static_cast<std::size_t>(job.count);
  std::vector<std::vector<fs::path>> names;
  std::size_t index = 0;
  std::size_t shared_index = 0;
  for (const Job& job : jobs) {
    check_output(job.output);
    const bool is_stdout = job.output == kStandardOutput;
    const auto pieces = is_stdout ? std::vector<Piece>{{false, job.output}}
                                  : pieces_of(job.output.empty() ? fallback : job.output);
    const std::size_t siblings = job.own_output ? static_cast<std::size_t>(job.count) : shared;
    auto& of_job = names.emplace_back();
    for (int k = 0; k < job.count; ++k) {
      const std::string name = expand(pieces, {job, k, ++index, total, model});
      const std::size_t number = job.own_output ? static_cast<std::size_t>(k) + 1 : ++shared_index;
      of_job.emplace_back(
          is_plain(pieces) && siblings > 1 && !is_stdout ? numbered(name, padded(number, siblings)) : name);
    }
  }
  require_one_for_stdout(names, total);
  require_distinct(names);
  return names;
}

void prepare_outputs(const std::vector<Job>& jobs, const std::vector<std::vector<fs::path>>& names,
                     bool overwrite) {
  std::set<fs::path> wanted;
  std::set<fs::path> checked;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    for (const fs::path& path : names[i]) {
      if (path == kStandardOutput) continue;
      const fs::path folder = path.parent_path();
      std::error_code error;
      const bool is_new = jobs[i].output.ends_with('/') && !fs::exists(folder, error);
      if (is_new) wanted.insert(folder);
      if (checked.insert(folder).second)
        is_new ? require_makeable_folder(folder) : require_writable_folder(folder);
      require_free(path, overwrite);
    }
  }
  for (const fs::path& folder : wanted) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) refuse("output folder " + folder.string() + " cannot be made: " + error.message());
  }
}

}  // namespace sdgen::cli
