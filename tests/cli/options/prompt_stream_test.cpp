#include "cli/options/prompt_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace sdgen::cli {
namespace {

constexpr auto kNever = [] { return false; };

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    ::close(ends[0]);
    close_writer();
  }
  void write(const std::string& text) const {
    EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
};

TEST(PromptStream, TellsWholeLinesAsTheyCome) {
  Pipe pipe;
  PromptStream stream(pipe.ends[0]);
  pipe.write("a cat\na do");
  const ArrivedLines first = stream.next(20, kNever);
  EXPECT_EQ(first.text, "a cat\n");
  EXPECT_EQ(first.first_line, 1u);
  EXPECT_FALSE(first.is_end);
  pipe.write("g\nan owl\na bus");
  EXPECT_EQ(stream.next(20, kNever).text, "a dog\nan owl\n");
  pipe.close_writer();
  const ArrivedLines last = stream.next(20, kNever);
  EXPECT_EQ(last.text, "a bus") << "a line needs no line end at the end";
  EXPECT_EQ(last.first_line, 4u);
  EXPECT_TRUE(last.is_end);
}

TEST(PromptStream, WhatIsWholeAlreadyComesAtOnce) {
  Pipe pipe;
  pipe.write("a cat\na dog\n");
  pipe.close_writer();
  PromptStream stream(pipe.ends[0]);
  const ArrivedLines all = stream.next(60'000, kNever);
  EXPECT_EQ(all.text, "a cat\na dog\n");
  EXPECT_TRUE(all.is_end);
}

TEST(PromptStream, LinesThatDoNotCeaseAreNotWaitedForLong) {
  Pipe pipe;
  std::atomic<bool> is_told = false;
  std::thread writer([&] {
    while (!is_told) {
      pipe.write("a cat\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  const ArrivedLines lines = PromptStream(pipe.ends[0]).next(50, kNever);
  is_told = true;
  writer.join();
  EXPECT_FALSE(lines.is_end);
  EXPECT_FALSE(lines.text.empty());
}

TEST(PromptStream, WaitsForALineUntilItIsStopped) {
  Pipe pipe;
  PromptStream stream(pipe.ends[0]);
  std::thread late([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    pipe.write("late\n");
  });
  EXPECT_EQ(stream.next(0, kNever).text, "late\n");
  late.join();
  int asked = 0;
  const ArrivedLines none = stream.next(0, [&] { return ++asked > 2; });
  EXPECT_EQ(none.text, "");
  EXPECT_FALSE(none.is_end);
}

TEST(PromptStream, DoesNotWaitWhereTheReaderOfTheResultsHasGone) {
  Pipe in, out;
  ::close(out.ends[0]);
  out.ends[0] = -1;
  PromptStream stream(in.ends[0], out.ends[1]);
  EXPECT_EQ(stream.next(0, kNever).text, "");
  EXPECT_FALSE(stream.has_reader());
}

}  // namespace
}  // namespace sdgen::cli
