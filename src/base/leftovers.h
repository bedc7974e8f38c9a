// What processes that were killed left behind: unfinished files and folders under names with their process id.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

namespace sdgen {

// Marks an open file or folder as being worked on, until `fd` and its duplicates are closed: also for other machines and
// containers, whose process ids say nothing here.
void mark_in_work(int fd);

// The whole of `text` as a number, spelled as we do.
std::optional<pid_t> as_process_id(std::string_view text);

// Whether whoever made `path` is gone: it is ours, no link and of that type, its process has ended (or is this one, which
// may have been given the id of one that was killed), and nobody has it in work. Where the file system cannot tell,
// nothing is abandoned.
bool is_abandoned(const std::filesystem::path& path, std::filesystem::file_type type, pid_t process);

// Tells the paths of `folder`; a folder that cannot be listed has none.
void each_entry(const std::filesystem::path& folder, const std::function<void(const std::filesystem::path&)>& tell);

}  // namespace sdgen
