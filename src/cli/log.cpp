#include "cli/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <cstdio>

#include "sdgen/printable.h"

namespace sdgen::cli {
namespace {

class BarSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit BarSink(ProgressBar& bar) : bar_(bar) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    std::string line = printable(text) + "\n";
    if (message.level == spdlog::level::warn) line = "sd-gen: warning: " + line;
    if (message.level >= spdlog::level::err) line = error_line(text);
    bar_.erase();
    std::fwrite(line.data(), 1, line.size(), stderr);
    bar_.redraw();
  }
  void flush_() override { std::fflush(stderr); }

 private:
  ProgressBar& bar_;
};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(LogLevel level, ProgressBar& bar) {
  auto logger = std::make_shared<spdlog::logger>("sd-gen", std::make_shared<BarSink>(bar));
  logger->set_level(spdlog_level(level));
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::string error_line(std::string_view message) {
  return "sd-gen: error: " + printable(message) + "\n";
}

void tell_interrupted(LogLevel level, std::size_t done, std::size_t total, const char* what) {
  if (level != LogLevel::kOff)
    std::fprintf(stderr, "sd-gen: interrupted: %zu of %zu %s done\n", done, total, what);
}

}  // namespace sdgen::cli
