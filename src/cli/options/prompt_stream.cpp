#include "cli/options/prompt_stream.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostQuiets = 4;  // times `quiet_ms` that lines are waited for in all
constexpr int kTick = 200;      // milliseconds between looks for a stop
constexpr std::size_t kMaxPending = std::size_t{64} << 20;

}  // namespace

bool PromptStream::wait(int milliseconds) {
  std::array<pollfd, 2> watched = {pollfd{input_, POLLIN, 0}, pollfd{output_, 0, 0}};
  if (::poll(watched.data(), output_ < 0 ? 1 : 2, milliseconds) <= 0) return false;
  if (output_ >= 0 && (watched[1].revents & (POLLERR | POLLNVAL)) != 0) has_reader_ = false;
  return watched[0].revents != 0;
}

void PromptStream::read_some() {
  std::array<char, 65536> part;
  const ssize_t count = ::read(input_, part.data(), part.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count < 0 && errno == EISDIR) throw Error(ErrorKind::kInput, "standard input is a folder");
  if (count < 0)
    throw Error(ErrorKind::kInput, std::string("standard input cannot be read: ") + std::strerror(errno));
  is_end_ = count == 0;
  pending_.append(part.data(), static_cast<std::size_t>(count));
  if (pending_.size() > kMaxPending)
    throw Error(ErrorKind::kInput, "standard input has more than " + std::to_string(kMaxPending) +
                                       " bytes at a time (the limit)");
}

ArrivedLines PromptStream::next(int quiet_ms, const std::function<bool()>& should_stop) {
  std::optional<Clock::time_point> first;  // when there was a line
  while (!is_end_ && has_reader_ && !should_stop()) {
    const bool has_line = pending_.find('\n') != std::string::npos;
    if (has_line && !first) first = Clock::now();
    const auto longest = std::chrono::milliseconds(kMostQuiets * quiet_ms);
    if (has_line && quiet_ms > 0 && Clock::now() - *first > longest) break;  // it may never be quiet
    if (wait(has_line ? quiet_ms : kTick))
      read_some();
    else if (has_line)
      break;
  }
  const std::size_t end = is_end_ ? pending_.size() : pending_.rfind('\n') + 1;  // 0 where there is none
  ArrivedLines lines{pending_.substr(0, end), lines_told_ + 1, is_end_};
  pending_.erase(0, end);
  lines_told_ += static_cast<std::size_t>(std::count(lines.text.begin(), lines.text.end(), '\n'));
  return lines;
}

}  // namespace sdgen::cli
