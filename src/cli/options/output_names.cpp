#include "cli/options/output_names.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

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
    for (int k = 0; job.output.empty() && k < job.count * job.best_of; ++k)
      if (!seeds.insert(*job.seed + static_cast<std::uint64_t>(k)).second) return "sd-gen-{index}-{seed}.png";
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

std::uint64_t first_seed(const Job& job, int k) {
  return *job.seed + static_cast<std::uint64_t>(k) * static_cast<std::uint64_t>(job.best_of);
}

// Of several seeds the best is kept, and names its picture: no other may have any of these names.
void require_distinct_candidates(const std::vector<Job>& jobs, const std::vector<JobNaming>& namings,
                                 const std::vector<std::vector<fs::path>>& names, const std::string& model) {
  if (std::all_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.best_of == 1; })) return;
  std::map<std::string, std::pair<std::size_t, int>> owners;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    for (int k = 0; k < jobs[i].count; ++k) {
      const std::pair owner(i, k);
      for (int candidate = 0; candidate < jobs[i].best_of; ++candidate) {
        const fs::path path =
            candidate == 0 ? names[i][static_cast<std::size_t>(k)]
                           : name_of(namings[i], jobs[i], k,
                                     first_seed(jobs[i], k) + static_cast<std::uint64_t>(candidate), model);
        if (owners.emplace(path.lexically_normal().string(), owner).first->second != owner)
          refuse("two pictures of this run might be written to " + path.string() +
                 "; use {index} in --output");
      }
    }
  }
}

}  // namespace

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

// The nearest folder above `folder` that exists already must take new ones.
void require_makeable_folder(fs::path folder) {
  std::error_code error;
  folder = fs::absolute(folder, error);
  while (folder.has_relative_path() && !fs::exists(folder, error)) folder = folder.parent_path();
  require_writable_folder(folder);
}

void refuse_tilde(const std::string& path) {
  std::error_code ignored;
  if (path.starts_with("~/") && !fs::exists("~", ignored))
    refuse("output '" + path +
           "': ~ is no folder here (the shell puts your home in its place only where it "
           "begins a word, without quotes); write $HOME" +
           path.substr(1));
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
  refuse_tilde(output);
  const auto pieces = parse_pattern(output);
  if (is_folder(output)) return;
  if (!picture_format(output))
    refuse("output '" + output +
           "' is neither a .png, .jpg or .webp name nor a folder; a new folder's name ends in /");
}

fs::path name_of(const JobNaming& naming, const Job& job, int k, std::uint64_t seed,
                 const std::string& model) {
  const auto number = static_cast<std::size_t>(k);
  const std::string name =
      expand(naming.pieces, {job, seed, naming.first_index + number, naming.total, model});
  if (!naming.is_numbered) return name;
  return numbered(name, padded(naming.first_number + number, naming.siblings));
}

std::vector<JobNaming> job_namings(const std::vector<Job>& jobs) {
  const std::size_t total = total_pictures(jobs);
  const std::string fallback = default_pattern(jobs);
  std::size_t shared = 0;  // pictures under the command line's own name
  for (const Job& job : jobs) shared += job.own_output ? 0 : static_cast<std::size_t>(job.count);
  std::vector<JobNaming> namings;
  std::size_t index = 1, shared_index = 1;
  for (const Job& job : jobs) {
    check_output(job.output);
    JobNaming& naming = namings.emplace_back();
    const auto count = static_cast<std::size_t>(job.count);
    const bool is_stdout = job.output == kStandardOutput;
    naming.pieces = is_stdout ? std::vector<Piece>{{false, job.output}}
                              : pieces_of(job.output.empty() ? fallback : job.output);
    naming.first_index = index;
    naming.total = total;
    naming.siblings = job.own_output ? count : shared;
    naming.is_numbered = is_plain(naming.pieces) && naming.siblings > 1 && !is_stdout;
    naming.first_number = job.own_output ? 1 : shared_index;
    index += count;
    if (!job.own_output) shared_index += count;
  }
  return namings;
}

std::vector<std::vector<fs::path>> output_names(const std::vector<Job>& jobs, const std::string& model) {
  const std::vector<JobNaming> namings = job_namings(jobs);
  std::vector<std::vector<fs::path>> names;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    auto& of_job = names.emplace_back();
    for (int k = 0; k < jobs[i].count; ++k)
      of_job.push_back(name_of(namings[i], jobs[i], k, first_seed(jobs[i], k), model));
  }
  require_one_for_stdout(names, total_pictures(jobs));
  require_distinct(names);
  require_distinct_candidates(jobs, namings, names, model);
  return names;
}

void require_candidates_free(const std::vector<Job>& jobs, const std::vector<JobNaming>& namings,
                             const std::string& model) {
  for (std::size_t i = 0; i < jobs.size(); ++i)
    for (int k = 0; k < jobs[i].count * jobs[i].best_of && jobs[i].best_of > 1; ++k)
      require_free(name_of(namings[i], jobs[i], k / jobs[i].best_of,
                           *jobs[i].seed + static_cast<std::uint64_t>(k), model),
                   /*overwrite=*/false);
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
