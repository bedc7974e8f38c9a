// Exit codes; everything else is in the commands.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/log.h"
#include "cli/options/options.h"
#include "cli/options/prompt_file.h"
#include "sdgen/error.h"

namespace {

// A closed standard stream would give its number to the next file, and messages would end up in a picture.
void open_standard_streams() {
  for (int stream = 0; stream < 3; ++stream)
    if (fcntl(stream, F_GETFD) == -1 && open("/dev/null", O_RDWR) == -1) _exit(1);
}

int fail(const sdgen::cli::Options& options, int code, std::string_view message) {
  if (options.log_level != sdgen::cli::LogLevel::kOff)
    std::fputs(sdgen::cli::error_line(message).c_str(), stderr);
  return code;
}

constexpr std::string_view kOutOfMemory = "out of memory; try a smaller --width, --height or --batch-size";

// libtorch's errors go on with a stack trace.
std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

// Without memory of its own, and so by a simpler rule than printable(): ASCII, cut at the end.
void write_error(std::string_view message) {
  std::array<char, 400> shown;
  const std::size_t size = std::min(message.size(), shown.size());
  std::transform(message.begin(), message.begin() + size, shown.begin(),
                 [](char c) { return c < ' ' || c > '~' ? '?' : c; });
  message = {shown.data(), size};
  for (const std::string_view part : {std::string_view("sd-gen: error: "), message, std::string_view("\n")})
    if (::write(STDERR_FILENO, part.data(), part.size()) < 0) return;
}

// An exception that leaves a destructor, a thread or a library that is being loaded reaches no catch: with
// little memory left, all of them can be std::bad_alloc.
[[noreturn]] void end_with_a_line() {
  try {
    if (const std::exception_ptr failure = std::current_exception()) std::rethrow_exception(failure);
    write_error("ended by a fault of the program itself");
  } catch (const std::bad_alloc&) {
    write_error(kOutOfMemory);
  } catch (const std::exception& error) {
    write_error(first_line(error.what()));
  } catch (...) {
    write_error("ended by a fault of the program itself");
  }
  _exit(1);
}

int run(sdgen::cli::Options& options, const std::vector<std::string>& arguments) {
  options = sdgen::cli::parse_options(arguments);
  if (options.message.empty()) return sdgen::cli::load_commands()(options);
  std::fputs(options.message.c_str(), stdout);
  // A stream that has failed to write what it held flushes "successfully" afterwards.
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  if (errno == EPIPE) return 0;  // `sd-gen words | head` has read enough
  return fail(options, 1, "standard output cannot be written; free some space or print elsewhere");
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  // A failed write is noticed where it happens: a closed pipe, a file past the limit of `ulimit -f`.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::set_terminate(end_with_a_line);
  sdgen::cli::Options options;
  try {
    return run(options, {argv + 1, argv + argc});
  } catch (const sdgen::cli::PromptFileError& error) {
    for (const std::string& message : error.messages()) fail(options, 0, message);
    return static_cast<int>(error.kind());
  } catch (const sdgen::Error& error) {
    return fail(options, static_cast<int>(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    return fail(options, 1, kOutOfMemory);
  } catch (const std::exception& error) {
    return fail(options, 1, first_line(error.what()));
  }
}
