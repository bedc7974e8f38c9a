// libtorch's exceptions as our own: one line, no stack trace.
#pragma once

#include <c10/util/Exception.h>

#include <filesystem>
#include <new>
#include <type_traits>

#include "base/cut_files.h"
#include "plain/errors.h"

namespace sdgen {

// Throws Error(kWorking) with the first line of `what`; running out of memory gets its remedy.
[[noreturn]] void fail_from_torch(const std::string& what, bool out_of_memory);

// Whether libtorch says that memory ran out, on the CPU or a GPU.
bool is_out_of_memory(const c10::Error& error);

// work(), with c10::Error and std::bad_alloc turned into Error(kWorking), a path that cannot be looked at
// into Error(kInput), as is a file that was cut short meanwhile.
template <typename Work>
auto with_plain_errors(const Work& work) -> decltype(work()) {
  try {
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      fail_if_cut_short();
    } else {
      auto result = work();
      fail_if_cut_short();
      return result;
    }
  } catch (const Error&) {
    fail_if_cut_short();  // what else is wrong may come of that
    throw;
  } catch (const c10::Error& error) {
    fail_if_cut_short();
    fail_from_torch(error.what_without_backtrace(), is_out_of_memory(error));
  } catch (const std::filesystem::filesystem_error& error) {
    fail_input(error.path1().string(), ": ", error.code().message());
  } catch (const std::bad_alloc&) {
    fail_from_torch("", true);
  }
}

}  // namespace sdgen
