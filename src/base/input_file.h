// Model and picture files are ordinary files: opening one never waits, and reading one ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace sdgen {

// The descriptor of `path`, which the caller closes, and the size of the file. Throws Error(kInput) naming
// it, "cannot be PURPOSE", if it is missing, and if it is no ordinary file: a pipe without a writer would
// keep us waiting, a device never ends.
struct OpenInput {
  int descriptor = -1;
  std::uint64_t bytes = 0;
};
OpenInput open_input(const std::filesystem::path& path, const char* purpose = "read");

// Whether anything stands at `path`, be it a link that leads nowhere. Also where that cannot be told (a name
// too long, links in a circle): opening it says why. Throws nothing.
bool is_there(const std::filesystem::path& path);

// Whether `path` is a folder, or a link to one; not where that cannot be told. Throws nothing.
bool is_folder(const std::filesystem::path& path);

// The whole of `path`, `what` it is to be in the message: "a SentencePiece model". Throws Error(kInput)
// naming the file if it cannot be opened, is no ordinary file, holds more than `max_bytes`, or cannot be read
// to its end.
std::string read_input(const std::filesystem::path& path, std::uint64_t max_bytes, const std::string& what);

}  // namespace sdgen
