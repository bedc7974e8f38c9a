#include "cli/output/terminal_graphics.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>

#include "cli/output/sixel.h"

namespace sdgen::cli {
namespace {

constexpr std::string_view kEscape = "\x1b", kStringEnd = "\x1b\\";
constexpr std::size_t kKittyChunk = 4096;           // base64 characters at most; a multiple of 4
constexpr long kFirstKonsoleWithPictures = 220400;  // 22.04

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(), [&](auto start) { return name.starts_with(start); });
}

std::string encoded_png(const Image& image) {
  const auto png = encode_png(image, {});
  return {png.begin(), png.end()};
}

// Graphics commands of at most 4096 characters each; all but the last say that more follows. q=2: no answer.
std::string kitty_picture(const Image& image) {
  const std::string payload = base64(encoded_png(image));
  std::string out;
  for (std::size_t at = 0; at < payload.size(); at += kKittyChunk) {
    const bool more = at + kKittyChunk < payload.size();
    out.append(kEscape).append(at == 0 ? "_Ga=T,f=100,q=2,m=" : "_Gm=").append(more ? "1;" : "0;");
    out.append(payload, at, kKittyChunk).append(kStringEnd);
  }
  return out;
}

std::string iterm_picture(const Image& image) {
  const std::string png = encoded_png(image);
  return std::string(kEscape) + "]1337;File=inline=1;size=" + std::to_string(png.size()) +
         ";width=" + std::to_string(image.width) + "px;height=" + std::to_string(image.height) +
         "px:" + base64(png) + '\a';
}

}  // namespace

TerminalGraphics terminal_graphics(const std::function<const char*(const char*)>& environment) {
  const auto value = [&](const char* name) {
    const char* const text = environment(name);
    return std::string_view(text == nullptr ? "" : text);
  };
  const auto term = value("TERM"), program = value("TERM_PROGRAM");
  if (!value("TMUX").empty() || !value("STY").empty() || starts_with_any(term, {"tmux", "screen"}) ||
      term == "dumb")
    return TerminalGraphics::kNone;
  // TERM is the terminal's own; the rest may be inherited from one that this one was started in.
  if (term == "xterm-kitty" || term == "xterm-ghostty") return TerminalGraphics::kKitty;
  if (starts_with_any(term, {"foot", "mlterm", "contour", "yaft", "mintty"}) ||
      term.find("sixel") != term.npos)
    return TerminalGraphics::kSixel;
  if (program == "WezTerm" || program == "iTerm.app" || value("LC_TERMINAL") == "iTerm2" ||
      !value("WEZTERM_EXECUTABLE").empty() || !value("WEZTERM_PANE").empty())
    return TerminalGraphics::kIterm;
  if (program == "mintty") return TerminalGraphics::kSixel;
  const bool is_konsole =
      std::strtol(std::string(value("KONSOLE_VERSION")).c_str(), nullptr, 10) >= kFirstKonsoleWithPictures;
  if (program == "ghostty" || !value("KITTY_WINDOW_ID").empty() || is_konsole)
    return TerminalGraphics::kKitty;
  return TerminalGraphics::kNone;
}

std::string terminal_picture(TerminalGraphics kind, const Image& image) {
  switch (kind) {
    case TerminalGraphics::kNone:
      return {};
    case TerminalGraphics::kKitty:
      return kitty_picture(image) + '\n';
    case TerminalGraphics::kIterm:
      return iterm_picture(image) + '\n';
    case TerminalGraphics::kSixel:
      return sixels(image) + '\n';
  }
  return {};
}

}  // namespace sdgen::cli
