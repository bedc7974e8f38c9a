// How long OpenMP threads that wait for work spin before they sleep. Beside two programs that trained models,
// libgomp's default (300000 rounds) once made a picture of the built-in model take 70 s; 10000 rounds took 6
// s, 1000 took 1.1 s, none 0.6 s. On a quiet virtual machine, where waking a thread is dear, fewer than 1000
// make it three times slower, and more than 2000 win 5 %. libgomp reads its variables when it is loaded,
// before main(), so the program starts itself again with the variable set, in the few milliseconds before any
// library's constructor has run.
#include <unistd.h>

#include <array>
#include <cstring>

namespace {

constexpr char kSpinCount[] = "GOMP_SPINCOUNT=2000";

bool names(const char* variable, const char* name) {
  return std::strncmp(variable, name, std::strlen(name)) == 0;
}

void restart_with_short_spinning(int, char** arguments, char** environment) {
  static std::array<char*, 4096> extended;
  std::size_t count = 0;
  for (; environment[count] != nullptr; ++count) {
    if (names(environment[count], "OMP_WAIT_POLICY=") || names(environment[count], "GOMP_SPINCOUNT=")) return;
    if (count + 2 >= extended.size()) return;
    extended[count] = environment[count];
  }
  extended[count] = const_cast<char*>(kSpinCount);
  static std::array<char, 4096> program;
  const ssize_t length = readlink("/proc/self/exe", program.data(), program.size() - 1);
  if (length > 0) execve(program.data(), arguments, extended.data());  // if it fails we go on as we are
}

}  // namespace

__attribute__((section(".preinit_array"),
               used)) static void (*restart_first)(int, char**, char**) = restart_with_short_spinning;
