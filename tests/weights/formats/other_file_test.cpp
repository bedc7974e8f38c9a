#include "weights/formats/other_file.h"

#include <gtest/gtest.h>

#include "sdgen/error.h"
#include "support/golden.h"
#include "support/safetensors_file.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

using namespace std::string_literals;

struct Case {
  std::string name, bytes, reason;
};

class OtherFile : public ::testing::TestWithParam<Case> {};

TEST_P(OtherFile, IsNamedAsWhatItIsWithARemedy) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "model.safetensors";
  testing::write_bytes(path, GetParam().bytes);
  try {
    open_weights_file(path);
    FAIL() << "opened";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(message.find(path.string() + ": "), 0u) << message;
    EXPECT_NE(message.find(GetParam().reason), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

INSTANTIATE_TEST_SUITE_P(
    OtherFile, OtherFile,
    ::testing::Values(
        Case{"html", "\n <!DOCTYPE HTML><html><head><title>Log in</title>",
             "is a web page (HTML), not weights; log in"},
        Case{"html_bare", "<html lang=\"en\">", "web page"},
        Case{"html_with_mark", "\xef\xbb\xbf<!doctype html>", "web page"},
        Case{"xml", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "is an XML text"},
        Case{"json", R"({"error":"Access to model is restricted"})",
             "is a JSON text, not weights: '{\"error\":"},
        Case{"index", R"({"metadata": {}, "weight_map": {}})", "index of shards"},
        Case{"text", "Entry not found", "is a text, not weights: 'Entry not found'; log in"},
        Case{"text_escaped", "Invalid\nname \xe2\x80\xae", "is a text, not weights: 'Invalid\\nname"},
        Case{"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "run git lfs pull"},
        Case{"bundle", "# v2 git bundle\n0123", "git bundle"},
        Case{"object", "x\x01\x4b\xca\xc9\x4f\x52\x30\x34\x66", "an object of git"},
        Case{"gguf", "GGUF\3\0\0\0\0\0\0\0"s, "is a GGUF file"},
        Case{"tar", std::string(257, 'a') + "ustar\0"s + std::string(200, '\0'), "tar archive"},
        Case{"gzip", "\x1f\x8b\x08\0\0\0\0\0\0"s, "packed by gzip"},
        Case{"seven", "7z\xbc\xaf\x27\x1c\0\4"s, "7z archive"},
        Case{"rar", "Rar!\x1a\x07\0\0"s, "RAR archive"},
        Case{"zip", "PK\5\6"s + std::string(18, '\0'), "empty zip archive"},
        Case{"png", "\x89PNG\r\n\x1a\n\0\0\0\r"s, "a picture (PNG)"},
        Case{"jpeg", "\xff\xd8\xff\xe0\0\x10JFIF"s, "a picture (JPEG)"},
        Case{"webp", "RIFF\1\1\1\1WEBPVP8 ", "a picture (WebP)"}, Case{"pdf", "%PDF-1.7 ", "a PDF document"},
        Case{"hdf5", "\x89HDF\r\n\x1a\n\0\0\0\0"s, "HDF5"},
        Case{"flax",
             "\x84\xa7"
             "conv_in\x82\xa4"
             "bias",
             "msgpack"},
        Case{"numpy", "\x93NUMPY\1\0v\0"s, "NumPy"},
        Case{"zeros", std::string(100, '\0'), "begins with zeros"}),
    [](const auto& info) { return info.param.name; });

// A header of 376 bytes begins as zlib's data do.
TEST(OtherFiles, SafetensorsAreNeverTakenForSomethingElse) {
  for (const std::uint64_t length : {0x178u, 0x4b50u, 0x46554747u, 0x78u, 0x9c78u, 0x3cu, 0x7bu}) {
    std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
    bytes += R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    EXPECT_EQ(other_file(bytes), "") << length;
  }
}

}  // namespace
}  // namespace sdgen
