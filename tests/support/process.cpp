#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace sdgen::testing {
namespace {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    read_end = ends[0];
    write_end = ends[1];
  }
};

[[noreturn]] void become(const std::vector<std::string>& command, const ProcessOptions& options,
                         const Pipe& in, const Pipe& out, const Pipe& err) {
  ::dup2(in.read_end, 0);
  ::dup2(out.write_end, 1);
  ::dup2(err.write_end, 2);
  for (const std::string& variable : options.environment) ::putenv(const_cast<char*>(variable.c_str()));
  if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(126);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

// Appends what is there; false at the end.
bool read_some(int file, std::string& text) {
  char buffer[65536];
  const ssize_t count = ::read(file, buffer, sizeof buffer);
  if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command, const ProcessOptions& options) {
  const Pipe in, out, err;
  const pid_t child = ::fork();
  if (child == 0) become(command, options, in, out, err);
  ::close(in.read_end);
  ::close(out.write_end);
  ::close(err.write_end);
  ::signal(SIGPIPE, SIG_IGN);
  if (!options.input.empty() && ::write(in.write_end, options.input.data(), options.input.size()) < 0) {
    // The program did not want it; its exit code tells.
  }
  ::close(in.write_end);

  ProcessResult result;
  bool interrupted = false;
  pollfd files[2] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}};
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    ::poll(files, 2, -1);
    for (int i = 0; i < 2; ++i)
      if (files[i].fd >= 0 && files[i].revents != 0 &&
          !read_some(files[i].fd, i == 0 ? result.out : result.err)) {
        ::close(files[i].fd);
        files[i].fd = -1;
      }
    if (!interrupted && options.interrupt_when && options.interrupt_when(result)) {
      interrupted = true;
      ::kill(child, SIGINT);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace sdgen::testing
