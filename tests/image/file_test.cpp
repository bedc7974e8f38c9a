#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "sdgen/error.h"
#include "sdgen/image.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

fs::path fresh_folder() {
  static std::deque<testing::TemporaryFolder> folders;  // removed when the tests end
  return folders.emplace_back().path();
}

std::string read_all(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::size_t count_files(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

struct Failure {
  ErrorKind kind = ErrorKind::kInput;
  std::string message = "no error";
};

Failure failure_of_writing(const fs::path& path, const Bytes& bytes, bool overwrite) {
  try {
    write_file_atomically(path, bytes, overwrite);
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {};
}

// Expects that writing fails as work does, with the path first and `cause` somewhere.
void expect_failure(const fs::path& path, const std::string& cause, bool overwrite = false) {
  const Failure failure = failure_of_writing(path, {1, 2, 3}, overwrite);
  EXPECT_EQ(failure.kind, ErrorKind::kWorking) << failure.message;
  EXPECT_EQ(failure.message.find(path.string() + ": "), 0u) << failure.message;
  EXPECT_NE(failure.message.find(cause), std::string::npos) << failure.message;
}

TEST(WriteFileAtomically, WritesAllBytesAndLeavesNothingElse) {
  const auto folder = fresh_folder();
  const Bytes bytes(3000000, 'x');
  write_file_atomically(folder / "picture.png", bytes, false);
  EXPECT_EQ(read_all(folder / "picture.png"), std::string(bytes.begin(), bytes.end()));
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(WriteFileAtomically, WritesIntoTheWorkingFolder) {
  const auto before = fs::current_path();
  fs::current_path(fresh_folder());
  write_file_atomically("bare.png", {'a'}, false);
  EXPECT_EQ(read_all("bare.png"), "a");
  fs::current_path(before);
}

TEST(WriteFileAtomically, LeavesAnExistingFileAlone) {
  const auto folder = fresh_folder();
  write_file_atomically(folder / "a.png", {'1'}, false);
  const Failure failure = failure_of_writing(folder / "a.png", {'2'}, false);
  EXPECT_EQ(failure.kind, ErrorKind::kRequest);
  EXPECT_EQ(failure.message, (folder / "a.png").string() +
                                 ": already exists; choose another name, or --overwrite to replace it");
  EXPECT_EQ(read_all(folder / "a.png"), "1");
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(WriteFileAtomically, ReplacesAFileWhenAsked) {
  const auto folder = fresh_folder();
  write_file_atomically(folder / "a.png", Bytes(1000, '1'), true);
  write_file_atomically(folder / "a.png", {'2'}, true);
  EXPECT_EQ(read_all(folder / "a.png"), "2");
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(WriteFileAtomically, LetsOneOfManyWritersWin) {
  const auto folder = fresh_folder();
  std::atomic<int> written{0}, refused{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i)
    writers.emplace_back([&, i] {
      const Failure failure =
          failure_of_writing(folder / "a.png", Bytes(1000, static_cast<std::uint8_t>('a' + i)), false);
      (failure.message == "no error" ? written : refused) +=
          failure.message == "no error" || failure.kind == ErrorKind::kRequest;
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(written, 1);
  EXPECT_EQ(refused, 7);
  const std::string content = read_all(folder / "a.png");
  EXPECT_EQ(content, std::string(1000, content.at(0)));
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(WriteFileAtomically, HonoursTheUmask) {
  const auto folder = fresh_folder();
  const mode_t before = ::umask(027);
  write_file_atomically(folder / "a.png", {'1'}, false);
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "a.png").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(WriteFileAtomically, FollowsALinkInsteadOfReplacingIt) {
  const auto folder = fresh_folder();
  write_file_atomically(folder / "real.png", {'1'}, false);
  fs::create_symlink("real.png", folder / "link.png");
  write_file_atomically(folder / "link.png", {'2'}, true);
  EXPECT_TRUE(fs::is_symlink(folder / "link.png"));
  EXPECT_EQ(read_all(folder / "real.png"), "2");
  EXPECT_EQ(failure_of_writing(folder / "link.png", {'3'}, false).kind, ErrorKind::kRequest);
}

TEST(WriteFileAtomically, DoesNotReplaceALinkToNowhereUnasked) {
  const auto folder = fresh_folder();
  fs::create_symlink("nowhere", folder / "link.png");
  EXPECT_EQ(failure_of_writing(folder / "link.png", {'1'}, false).kind, ErrorKind::kRequest);
  EXPECT_TRUE(fs::is_symlink(folder / "link.png"));
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(WriteFileAtomically, NamesAFolderThatIsMissing) {
  const auto folder = fresh_folder();
  expect_failure(folder / "no" / "a.png", "No such file or directory; create the folder first");
  EXPECT_EQ(count_files(folder), 0u);
}

TEST(WriteFileAtomically, NamesAFileUsedAsAFolder) {
  const auto folder = fresh_folder();
  write_file_atomically(folder / "file", {'1'}, false);
  expect_failure(folder / "file" / "a.png", "Not a directory; a part of the path is a file");
}

TEST(WriteFileAtomically, RefusesAFolderAsTarget) {
  const auto folder = fresh_folder();
  fs::create_directory(folder / "sub");
  expect_failure(folder / "sub", "it is a folder", true);
  expect_failure(folder / "sub", "it is a folder", false);
  expect_failure(folder / "sub/", "it is a folder", true);
  EXPECT_TRUE(fs::is_directory(folder / "sub"));
}

TEST(WriteFileAtomically, DoesNotReplaceADevice) {
  expect_failure("/dev/null", "it is a device", true);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(WriteFileAtomically, NamesAFolderThatTakesNoFiles) {
  // /proc/self/fd refuses new files whoever asks, root too.
  const Failure failure = failure_of_writing("/proc/self/fd/a.png", {1}, false);
  EXPECT_EQ(failure.kind, ErrorKind::kWorking);
  EXPECT_EQ(failure.message.find("/proc/self/fd/a.png: cannot be written: "), 0u) << failure.message;
}

TEST(WriteFileAtomically, NamesATooLongName) {
  expect_failure(fresh_folder() / std::string(300, 'n'), "File name too long; choose a shorter name");
}

// Files may grow to `bytes` while this lives: the disk that is full, without a file system of one's own.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(WriteFileAtomically, LeavesNoPartOfAFileThatDidNotFit) {
  const auto folder = fresh_folder();
  Failure failure;
  {
    const FileSizeLimit limit(100000);
    failure = failure_of_writing(folder / "a.png", Bytes(300000, 'x'), false);
  }
  EXPECT_EQ(failure.kind, ErrorKind::kWorking);
  EXPECT_NE(failure.message.find("a.png: cannot be written: File too large"), std::string::npos)
      << failure.message;
  EXPECT_EQ(count_files(folder), 0u);
}

TEST(WriteFileAtomically, KeepsTheOldFileWhenTheNewOneDidNotFit) {
  const auto folder = fresh_folder();
  write_file_atomically(folder / "a.png", {'o', 'l', 'd'}, false);
  Failure failure;
  {
    const FileSizeLimit limit(100000);
    failure = failure_of_writing(folder / "a.png", Bytes(300000, 'x'), true);
  }
  EXPECT_EQ(failure.kind, ErrorKind::kWorking);
  EXPECT_EQ(read_all(folder / "a.png"), "old");
  EXPECT_EQ(count_files(folder), 1u);
}

}  // namespace
}  // namespace sdgen
