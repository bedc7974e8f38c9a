// Where pictures go: file names made from --output.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/options/request_fields.h"

namespace sdgen::cli {

// In place of a file's name.
inline constexpr char kStandardOutput[] = "-";

// Checks what can be checked without knowing the pictures: the pattern's fields and braces ({{ and }} stand
// for braces) and that it names a .png, .jpg, .jpeg or .webp, a folder (existing, or ending in /) or
// kStandardOutput. Empty is the default name. Throws Error(kRequest) naming the field and the nearest known
// one.
void check_output(const std::string& output);

// The file of every picture, [job][picture]. `jobs` are complete (seed, sizes, ... filled in).
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

// Throws Error(kRequest) if the folder, or the nearest one above it that exists, cannot be written to.
void require_makeable_folder(std::filesystem::path folder);

// Throws Error(kRequest) if `path` is a folder, its name is too long, or it exists and may not be
// overwritten.
// `flag`: which names it.
void require_free(const std::filesystem::path& path, bool overwrite, const std::string& flag = "--output");

}  // namespace sdgen::cli
