// What tests of the built binary share: running it in a folder of its own, reading what it wrote.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sdgen/image.h"
#include "support/process.h"
#include "support/safetensors_file.h"

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace sdgen::cli {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::ProcessOptions;
using testing::ProcessResult;

inline const fs::path kGolden = SDGEN_GOLDEN_DIR;
inline const std::string kModel = (kGolden / "pipelines/variant-tiny").string();

inline std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

struct Pixels {
  int width = 0, height = 0;
  std::vector<unsigned char> rgb;
};

inline Pixels read_png(const fs::path& path) {
  Pixels pixels;
  int channels = 0;
  unsigned char* const data = stbi_load(path.c_str(), &pixels.width, &pixels.height, &channels, 3);
  if (!data) return pixels;
  EXPECT_EQ(channels, 3);
  pixels.rgb.assign(data, data + 3 * pixels.width * pixels.height);
  stbi_image_free(data);
  return pixels;
}

// One uint8 tensor of a safetensors file, by its own few lines: no code of the library under test.
inline std::string golden_bytes(const fs::path& path, const std::string& key) {
  const std::string file = read_text(path);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  const Json offsets = Json::parse(file.substr(8, length)).at(key).at("data_offsets");
  return file.substr(8 + length + offsets[0].get<std::size_t>(),
                     offsets[1].get<std::size_t>() - offsets[0].get<std::size_t>());
}

class Binary : public ::testing::Test {
 protected:
  fs::path folder() const { return temporary_.path(); }

  ProcessResult sd_gen(const std::vector<std::string>& arguments, ProcessOptions options = {}) const {
    std::vector<std::string> command = {SDGEN_BINARY};
    command.insert(command.end(), arguments.begin(), arguments.end());
    options.folder = folder().string();
    return testing::run_process(command, options);
  }

  // A small, quick picture; `further` arguments win over the small ones.
  ProcessResult draw(const std::vector<std::string>& further, const ProcessOptions& options = {}) const {
    std::vector<std::string> arguments = {"--model",  kModel, "--width", "32",
                                          "--height", "32",   "--steps", "2"};
    arguments.insert(arguments.end(), further.begin(), further.end());
    return sd_gen(arguments, options);
  }

  // Exactly one line on stderr, naming `part`; nothing on stdout; no file left.
  void expect_one_line_error(const ProcessResult& result, int exit_code, const std::string& part) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(lines_of(result.err).size(), 1u) << result.err;
    EXPECT_NE(result.err.find("sd-gen: error: "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(files(), std::vector<std::string>{});
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder()))
      if (entry.path().filename().string()[0] != '_') names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  // A copy of the small model to spoil; its name is hidden from files().
  fs::path copied_model() const {
    const fs::path copy = folder() / "_model";
    fs::copy(kModel, copy, fs::copy_options::recursive);
    return copy;
  }

  static void edit_json(const fs::path& path, const Json& changes) {
    Json json = Json::parse(read_text(path));
    json.update(changes);
    std::ofstream(path) << json;
  }

  testing::TemporaryFolder temporary_;
};

}  // namespace sdgen::cli
