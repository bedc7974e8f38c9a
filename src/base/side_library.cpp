#include "base/side_library.h"

#include <dlfcn.h>

#include <new>

#include "plain/errors.h"

namespace sdgen {

void* side_library(const char* library, const char* symbol, const std::string& remedy) {
#ifdef SDGEN_SANITIZED  // sanitizers refuse RTLD_DEEPBIND
  constexpr int kScope = RTLD_LOCAL;
#else
  constexpr int kScope = RTLD_LOCAL | RTLD_DEEPBIND;
#endif
  void* const opened = ::dlopen(library, RTLD_NOW | kScope);
  void* const found = opened ? ::dlsym(opened, symbol) : nullptr;
  if (found) return found;
  const std::string why = ::dlerror();
  if (why.find("map segment") != why.npos || why.find("llocate memory") != why.npos) throw std::bad_alloc();
  fail_working(why, "; ", remedy);
}

}  // namespace sdgen
