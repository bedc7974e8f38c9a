// The hub's cache, where other programs keep the models that they fetched: a folder for each model,
// `models--OWNER--NAME`, with a folder for each version in snapshots/ and the versions' names in refs/.
#pragma once

#include <filesystem>
#include <string>

namespace sdgen {

// Whether `path` is such a model's top folder.
bool is_hub_folder(const std::filesystem::path& path);

// The folder of its current version: the one that refs/main names, else the only one. Other paths as they
// are. Throws Error(kInput) naming the folder where there is no such version, or several and nothing that
// names one. Fetches nothing.
std::filesystem::path hub_snapshot(const std::filesystem::path& path);

// "NAME" where `path` is, or stands in, a version of `models--OWNER--NAME`; empty elsewhere.
std::string hub_name(const std::filesystem::path& path);

}  // namespace sdgen
