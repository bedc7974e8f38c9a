// Messages on standard error, above the progress bar.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>
#include <string_view>

#include "cli/options/options.h"
#include "cli/progress.h"

namespace sdgen::cli {

// A logger whose lines do not tear the bar, which must outlive it: plain text for what all goes well, else
// "sd-gen: warning: ..." and "sd-gen: error: ...". Each message is one printable() line.
std::shared_ptr<spdlog::logger> make_logger(LogLevel level, ProgressBar& bar);

// "sd-gen: error: MESSAGE" as one line of less than 500 bytes, whatever the message holds: printable().
std::string error_line(std::string_view message);

// "sd-gen: interrupted: 2 of 5 pictures done", unless `level` is off.
void tell_interrupted(LogLevel level, std::size_t done, std::size_t total, const char* what);

}  // namespace sdgen::cli
