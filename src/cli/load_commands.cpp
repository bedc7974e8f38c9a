#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>

#include "cli/commands/commands.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

// How long OpenMP threads that wait for work spin before they sleep. Beside two programs that trained models,
// libgomp's default (300000 rounds) once made a picture of the built-in model take 70 s; 10000 rounds took
// 6 s, 1000 took 1.1 s, none 0.6 s. On a quiet virtual machine, where waking a thread is dear, fewer than
// 1000 make it three times slower, and more than 2000 win 5 %. libgomp reads its variables when it is loaded.
void shorten_spinning() {
  if (!std::getenv("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", "2000", /*overwrite=*/0);
}

}  // namespace

RunCommand* load_commands() {
  // MKL asks for it while it is loaded, and ends the process where there is none.
  std::error_code error;
  const std::filesystem::path working_folder = std::filesystem::current_path(error);
  if (working_folder.empty())
    throw Error(ErrorKind::kWorking,
                "the working folder: " + error.message() + "; change to a folder that is there");
  shorten_spinning();
  // Global, so that libtorch's own OpenMP runtime can be found by name (base/parallel.cpp).
  void* const library = ::dlopen(SDGEN_COMMANDS, RTLD_LAZY | RTLD_GLOBAL);
  void* const run = library ? ::dlsym(library, kRunCommand) : nullptr;
  if (!run) {
    const std::string why = ::dlerror();
    if (why.find("map segment") != why.npos || why.find("llocate memory") != why.npos) throw std::bad_alloc();
    throw Error(ErrorKind::kWorking, why + "; build or install sd-gen again");
  }
  return reinterpret_cast<RunCommand*>(run);
}

}  // namespace sdgen::cli
