// Where pictures go: file names made from --output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/options/output_pattern.h"
#include "cli/options/request_fields.h"

namespace sdgen::cli {

// In place of a file's name.
inline constexpr char kStandardOutput[] = "-";

// Checks what can be checked without knowing the pictures: the pattern's fields and braces ({{ and }} stand
// for braces) and that it names a .png, .jpg, .jpeg or .webp, a folder (existing, or ending in /) or
// kStandardOutput. Empty is the default name. Throws Error(kRequest) naming the field and the nearest known
// one.
void check_output(const std::string& output);

// How the pictures of a job are named.
struct JobNaming {
  std::vector<Piece> pieces;
  std::size_t first_index = 1;  // of the run, from 1
  std::size_t total = 1;        // pictures of the run
  bool is_numbered = false;     // x.png is x-1.png, ...
  std::size_t first_number = 1;
  std::size_t siblings = 1;  // that are numbered together
};
std::vector<JobNaming> job_namings(const std::vector<Job>& jobs);

// The file of picture `k` of `job`, where it has this seed: with best_of, only drawing tells.
std::filesystem::path name_of(const JobNaming& naming, const Job& job, int k, std::uint64_t seed,
                              const std::string& model);

// Of jobs with best_of, all files that may be written must not exist. Throws Error(kRequest).
void require_candidates_free(const std::vector<Job>& jobs, const std::vector<JobNaming>& namings,
                             const std::string& model);

// The file of every picture, [job][picture]; with best_of, of the first of its seeds. `jobs` are complete
// (seed, sizes, ... filled in).
// - empty: sd-gen-{seed}.png; if seeds repeat within the run, sd-gen-{index}-{seed}.png.
// - a folder: {index}-{seed}.png inside it.
// - a plain x.png for several pictures: x-1.png, x-2.png, ... (zero-padded).
// - kStandardOutput: itself, for a run of one picture.
// - {index} counts from 1 over the whole run, zero-padded to the digits of the last one.
// Throws Error(kRequest) if two pictures would share a name or standard output.
std::vector<std::vector<std::filesystem::path>> output_names(const std::vector<Job>& jobs,
                                                             const std::string& model);

// Refuses what could not be written: an existing file (unless `overwrite`), a missing or unwritable folder.
// Then makes the folders that were given with a / at the end. Throws Error(kRequest).
void prepare_outputs(const std::vector<Job>& jobs,
                     const std::vector<std::vector<std::filesystem::path>>& names, bool overwrite);

// Throws Error(kRequest) for a path that begins with "~/", which the shell has not replaced, where there is
// no folder of that name.
void refuse_tilde(const std::string& path);

// Throws Error(kRequest) if the folder is not there or cannot be written to.
void require_writable_folder(const std::filesystem::path& folder);

// Throws Error(kRequest) if the folder, or the nearest one above it that exists, cannot be written to.
void require_makeable_folder(std::filesystem::path folder);

// Throws Error(kRequest) if `path` is a folder, its name is too long, or it exists and may not be
// overwritten.
// `flag`: which names it.
void require_free(const std::filesystem::path& path, bool overwrite, const std::string& flag = "--output");

}  // namespace sdgen::cli
