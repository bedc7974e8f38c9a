#include "cli/output/terminal_graphics.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "cli/output/sixel.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

Image gradient(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int value : {x * 255 / width, y * 255 / height, 128 + x - y})
        image.rgb.push_back(static_cast<std::uint8_t>(value));
  return image;
}

std::string png_of(const Image& image) {
  const auto png = encode_png(image, {});
  return base64({reinterpret_cast<const char*>(png.data()), png.size()});
}

TerminalGraphics with(const std::map<std::string, std::string>& variables) {
  return terminal_graphics([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(TerminalGraphics, KnowsTerminals) {
  using enum TerminalGraphics;
  EXPECT_EQ(with({{"TERM", "xterm-kitty"}, {"KITTY_WINDOW_ID", "1"}}), kKitty);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"KITTY_WINDOW_ID", "1"}}), kKitty);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"TERM_PROGRAM", "ghostty"}}), kKitty);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"KONSOLE_VERSION", "230401"}}), kKitty);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"TERM_PROGRAM", "iTerm.app"}}), kIterm);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"LC_TERMINAL", "iTerm2"}}), kIterm);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"TERM_PROGRAM", "WezTerm"}}), kIterm);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"WEZTERM_EXECUTABLE", "wezterm-gui"}}), kIterm);
  for (const char* term : {"foot", "foot-extra", "mlterm-256color", "contour-latest", "yaft-256color",
                           "mintty-direct", "xterm-sixel"})
    EXPECT_EQ(with({{"TERM", term}}), kSixel) << term;
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"TERM_PROGRAM", "mintty"}}), kSixel);
  EXPECT_EQ(with({{"TERM", "foot"}, {"KITTY_WINDOW_ID", "1"}}), kSixel);
}

TEST(TerminalGraphics, LeavesOthersAlone) {
  using enum TerminalGraphics;
  EXPECT_EQ(with({}), kNone);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}}), kNone);
  EXPECT_EQ(with({{"TERM", "xterm-256color"}, {"KONSOLE_VERSION", "210800"}}), kNone);
  EXPECT_EQ(with({{"TERM", "dumb"}, {"KITTY_WINDOW_ID", "1"}}), kNone);
  EXPECT_EQ(with({{"TERM", "tmux-256color"}, {"KITTY_WINDOW_ID", "1"}}), kNone);
  EXPECT_EQ(with({{"TERM", "screen-256color"}, {"TERM_PROGRAM", "iTerm.app"}}), kNone);
  EXPECT_EQ(with({{"TERM", "xterm-kitty"}, {"TMUX", "/tmp/tmux,1,0"}}), kNone);
  EXPECT_EQ(with({{"TERM", "foot"}, {"STY", "1.screen"}}), kNone);
}

TEST(Base64, EqualsTheVectorsOfItsStandard) {  // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFB\xFF\xBE"), "+/++");
}

TEST(TerminalPicture, IsNothingWherePicturesAreNotShown) {
  EXPECT_EQ(terminal_picture(TerminalGraphics::kNone, gradient(4, 4)), "");
}

TEST(TerminalPicture, ComesToKittyInChunks) {
  for (const int size : {2, 200}) {
    const std::string text = terminal_picture(TerminalGraphics::kKitty, gradient(size, size));
    std::string payload;
    std::size_t at = 0, chunks = 0;
    bool more = true;
    while (more) {
      const std::string start = chunks++ == 0 ? "\x1b_Ga=T,f=100,q=2,m=" : "\x1b_Gm=";
      ASSERT_EQ(text.compare(at, start.size(), start), 0) << at;
      at += start.size();
      more = text.at(at) == '1';
      ASSERT_EQ(text.at(at + 1), ';');
      const std::size_t end = text.find("\x1b\\", at);
      ASSERT_NE(end, text.npos);
      const std::string part = text.substr(at + 2, end - at - 2);
      EXPECT_LE(part.size(), 4096u);
      EXPECT_EQ(part.size() % 4, 0u);
      payload += part;
      at = end + 2;
    }
    EXPECT_EQ(text.substr(at), "\n");
    EXPECT_EQ(payload, png_of(gradient(size, size)));
    EXPECT_EQ(chunks, (payload.size() + 4095) / 4096);
  }
}

TEST(TerminalPicture, ComesToItermInOnePiece) {
  const Image image = gradient(30, 20);
  EXPECT_EQ(terminal_picture(TerminalGraphics::kIterm, image),
            "\x1b]1337;File=inline=1;size=" + std::to_string(encode_png(image, {}).size()) +
                ";width=30px;height=20px:" + png_of(image) + "\a\n");
}

// Draws sixels as a terminal does; fails the test where it meets something else.
class SixelReader {
 public:
  explicit SixelReader(std::string text) : text_(std::move(text)) {
    const std::string start = "\x1bP0;1;0q\"1;1;";
    EXPECT_EQ(text_.compare(0, start.size(), start), 0);
    at_ = start.size();
    image_.width = number();
    ++at_;
    image_.height = number();
    image_.rgb.assign(static_cast<std::size_t>(3 * image_.width * image_.height), 0);
    drawn_.assign(image_.rgb.size() / 3, 0);
    while (at_ < text_.size() && text_[at_] != '\x1b') step();
    EXPECT_EQ(text_.substr(at_), "\x1b\\");
  }

  const Image& image() const { return image_; }
  std::size_t colors() const { return palette_.size(); }
  // How often each pixel was drawn.
  const std::vector<int>& drawn() const { return drawn_; }

 private:
  int number() {
    int value = 0;
    while (text_[at_] >= '0' && text_[at_] <= '9') value = 10 * value + (text_[at_++] - '0');
    return value;
  }

  void step() {
    const char c = text_[at_++];
    if (c == '$') {
      x_ = 0;
    } else if (c == '-') {
      x_ = 0, band_ += 6;
    } else if (c == '#') {
      color_ = number();
      if (text_[at_] == ';') define();
    } else if (c == '!') {
      const int count = number();
      draw(text_[at_++], count);
    } else {
      draw(c, 1);
    }
  }

  void define() {
    ++at_;
    EXPECT_EQ(number(), 2);
    for (int c = 0; c < 3; ++c) {
      ++at_;
      palette_[color_].push_back(static_cast<std::uint8_t>((number() * 255 + 50) / 100));
    }
  }

  void draw(char sixel, int count) {
    ASSERT_TRUE(sixel >= '?' && sixel <= '~') << sixel;
    for (; count > 0; --count, ++x_)
      for (int bit = 0; bit < 6; ++bit)
        if ((sixel - '?') >> bit & 1) {
          ASSERT_LT(x_, image_.width);
          ASSERT_LT(band_ + bit, image_.height);
          const auto pixel = static_cast<std::size_t>((band_ + bit) * image_.width + x_);
          ++drawn_[pixel];
          std::copy_n(palette_.at(color_).begin(), 3,
                      image_.rgb.begin() + static_cast<std::ptrdiff_t>(3 * pixel));
        }
  }

  std::string text_;
  std::size_t at_ = 0;
  Image image_;
  std::vector<int> drawn_;
  std::map<int, std::vector<std::uint8_t>> palette_;
  int color_ = 0, x_ = 0, band_ = 0;
};

TEST(Sixels, DrawEveryPixelOnceNearItsColour) {
  for (const auto& [width, height] :
       {std::pair{1, 1}, std::pair{7, 6}, std::pair{50, 40}, std::pair{64, 64}}) {
    const Image image = gradient(width, height);
    const SixelReader reader(sixels(image));
    ASSERT_EQ(reader.image().width, width);
    ASSERT_EQ(reader.image().height, height);
    EXPECT_LE(reader.colors(), 252u);
    for (const int count : reader.drawn()) EXPECT_EQ(count, 1);
    // Dithering takes the next colour on either side: less than a step of 51 away.
    for (std::size_t i = 0; i < image.rgb.size(); ++i)
      ASSERT_LE(std::abs(image.rgb[i] - reader.image().rgb[i]), 52) << width << "x" << height << " " << i;
  }
}

TEST(Sixels, KeepTheMeanColour) {
  Image image{60, 60, {}};
  for (int i = 0; i < 60 * 60; ++i) image.rgb.insert(image.rgb.end(), {100, 30, 222});
  const Image seen = SixelReader(sixels(image)).image();
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (std::size_t i = c; i < seen.rgb.size(); i += 3) sum += seen.rgb[i];
    EXPECT_NEAR(sum / (60 * 60), image.rgb[c], 1.5) << c;
  }
}

TEST(Sixels, CountRepeatedColumns) {
  Image white{100, 6, std::vector<std::uint8_t>(1800, 255)};
  EXPECT_EQ(sixels(white), "\x1bP0;1;0q\"1;1;100;6#251;2;100;100;100#251!100~\x1b\\");
  EXPECT_EQ(terminal_picture(TerminalGraphics::kSixel, white), sixels(white) + '\n');
}

TEST(TerminalPicture, RefusesAWrongSize) {
  for (const auto kind : {TerminalGraphics::kKitty, TerminalGraphics::kIterm, TerminalGraphics::kSixel})
    for (const Image& image : {Image{}, Image{2, 2, {1, 2, 3}}})
      EXPECT_THROW(terminal_picture(kind, image), Error);
}

}  // namespace
}  // namespace sdgen::cli
