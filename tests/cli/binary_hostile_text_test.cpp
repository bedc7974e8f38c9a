// Text out of files reaches a terminal as text: never as what the terminal acts upon, never as a second line.
#include <functional>

#include "cli/binary.h"
#include "support/zip_file.h"

namespace sdgen::cli {
namespace {

// Sets a title, rings, goes back to the line's beginning and forges a message; C1 and a turn of direction.
const std::string kShort =
    "\x1b]0;owned\a\r\x1b[K\x7f\u009b31m\u202esd-gen: all is well\nsd-gen: error: forged";
const std::string kHostile = kShort + std::string(2000, 'x');
// What formats in bytes can hold beside, but for line breaks.
const std::string kBytes =
    "\x1b]0;owned\a\r\x9b"
    "31m" +
    std::string(2000, 'x');

// ASCII that a terminal shows, and no line that a file forged. (What is not hostile in these files is ASCII.)
void expect_harmless(const std::string& text) {
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\n' || (c >= ' ' && c <= '~');
  })) << Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
  for (const std::string& line : lines_of(text))
    EXPECT_FALSE(line.starts_with("sd-gen: error: forged")) << line;
}

std::string tensor_file(const std::string& key, const std::string& dtype,
                        const Json& metadata = Json::object()) {
  const Json header = {{"__metadata__", metadata},
                       {key, {{"dtype", dtype}, {"shape", {1}}, {"data_offsets", {0, 4}}}}};
  return testing::safetensors_bytes(header.dump(), std::string(4, '\0'));
}

void write(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  testing::write_bytes(path, bytes);
}

// One byte a pixel, and a chunk whose type says that it must be understood.
std::string png_with_chunk(const std::string& type) {
  const std::vector<std::uint8_t> bytes = encode_png(Image{1, 1, {0, 0, 0}}, {});
  std::string png(bytes.begin(), bytes.end());
  return png.insert(33, std::string(4, '\0') + type + std::string(4, '\0'));
}

const std::vector<std::string> kDraw = {"-p",       "x",  "-m",      kModel, "--width", "32",
                                        "--height", "32", "--steps", "2",    "-o",      "x.png"};

std::vector<std::string> drawing(const std::vector<std::string>& further) {
  std::vector<std::string> arguments = kDraw;
  arguments.insert(arguments.end(), further.begin(), further.end());
  return arguments;
}

std::vector<std::string> prompts(const fs::path& folder, const std::string& name, const std::string& text) {
  write(folder / name, text);
  return {"-m", kModel, "--prompt-file", name, "-o", "out/"};
}

struct Case {
  std::string name;
  int exit_code;
  // Puts the hostile file into the folder and returns the arguments that have it read.
  std::function<std::vector<std::string>(const fs::path&)> arguments;
  std::string shown = "]0;owned";  // of the hostile text, and so that it is this text which is printed
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

class HostileText : public Binary, public ::testing::WithParamInterface<Case> {};

TEST_P(HostileText, IsPrintedAsTextOnOneShortLine) {
  const ProcessResult result = sd_gen(GetParam().arguments(folder()));
  EXPECT_EQ(result.exit_code, GetParam().exit_code) << result.err;
  EXPECT_NE((result.out + result.err).find(GetParam().shown), std::string::npos) << result.err;
  expect_harmless(result.err);
  expect_harmless(result.out);
  for (const std::string& line : lines_of(result.err)) EXPECT_LT(line.size(), 500u) << line;
  if (result.exit_code == 0) return;
  ASSERT_EQ(lines_of(result.err).size(), 1u) << result.err;
  EXPECT_TRUE(result.err.starts_with("sd-gen: error: ")) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(files(), std::vector<std::string>{});
}

std::vector<Case> model_files() {
  const auto inspected = [](const std::string& name, const std::string& bytes) {
    return [=](const fs::path& folder) {
      write(folder / name, bytes);
      return std::vector<std::string>{"inspect", name};
    };
  };
  const auto component = [](const std::string& file, const Json& json) {
    return [=](const fs::path& folder) {
      write(folder / "_m/config.json", R"({"_class_name":"AutoencoderKL"})");
      write(folder / "_m" / file, json.dump());
      return std::vector<std::string>{"inspect", "_m"};
    };
  };
  const std::string index = "diffusion_pytorch_model.safetensors.index.json";
  return {
      {"TensorKey", 3, inspected("_x.safetensors", tensor_file(kHostile, "F33"))},
      {"Dtype", 3, inspected("_x.safetensors", tensor_file("t", kShort.substr(0, 18)))},
      {"UnknownTensors", 0, inspected("_x.safetensors", tensor_file(kHostile, "F32"))},
      {"Metadata", 0,
       inspected("_x.safetensors", tensor_file("t", "F32", {{kHostile, kHostile}, {"\u009b", kShort}}))},
      {"PickledClass", 3,
       inspected("_x.pt", testing::zip_bytes({{"a/data.pkl",
                                               "\x80\x02"
                                               "c" +
                                                   kBytes.substr(0, 60) + "\nf\n)R."}}))},
      {"EntryOfAZip", 3,
       inspected("_x.pt", testing::zip_bytes({{kBytes.substr(0, 60), ""}, {kBytes.substr(0, 60), ""}}))},
      {"Shard", 3, component(index, {{"weight_map", {{"a", kShort}}}})},
      {"KeyOfTheIndex", 3, component(index, {{"weight_map", {{kHostile, "../a"}}}})},
      {"Architecture", 0,
       [](const fs::path& folder) {
         write(folder / "_m/config.json", Json{{"architectures", {kHostile}}}.dump());
         write(folder / "_m/model.safetensors", tensor_file("t", "F32"));
         return std::vector<std::string>{"inspect", "_m"};
       },
       "text encoder"},
      {"JsonThatIsNone", 3,
       [](const fs::path& folder) {
         write(folder / "_m/config.json", "[" + kBytes);
         return std::vector<std::string>{"inspect", "_m"};
       },
       "not JSON"},
      {"ClassOfAFolder", 0,
       [](const fs::path& folder) {
         write(folder / "_m/model_index.json",
               Json{{"_class_name", kHostile}, {"scheduler", {"d", kHostile}}, {kShort, {"d", kHostile}}}
                   .dump());
         fs::create_directories(folder / "_m/scheduler");
         return std::vector<std::string>{"inspect", "_m"};
       }},
      {"Folder", 3,
       [](const fs::path&) {
         return drawing({"-m", kShort});
       }},
      {"LoraModule", 3,
       [](const fs::path& folder) {
         write(folder / "_l.safetensors", tensor_file("lora_unet_" + kHostile + ".lora_down.weight", "F32"));
         return drawing({"--lora", "_l.safetensors"});
       }},
      {"ConfigValue", 3,
       [](const fs::path& folder) {
         fs::copy(kModel, folder / "_model", fs::copy_options::recursive);
         Json config = Json::parse(read_text(folder / "_model/unet/config.json"));
         config["act_fn"] = kHostile;
         write(folder / "_model/unet/config.json", config.dump());
         return drawing({"-m", "_model"});
       }},
  };
}

// Prompt files hold no control characters but as JSON's escapes.
std::string ascii(const Json& json) {
  return json.dump(-1, ' ', true);
}

std::vector<Case> request_files() {
  return {
      {"JsonlKey", 2,
       [](const fs::path& folder) {
         return prompts(folder, "_p.jsonl", ascii({{kHostile, 1}}));
       }},
      {"JsonlValue", 2,
       [](const fs::path& folder) {
         return prompts(folder, "_p.jsonl", ascii({{"prompt", "x"}, {"sampler", kHostile}}));
       }},
      {"JsonlOutput", 2,
       [](const fs::path& folder) {
         return prompts(folder, "_p.jsonl", ascii({{"prompt", "x"}, {"output", kShort + ".png"}}));
       }},
      {"PromptFile", 2,
       [](const fs::path& folder) {
         return prompts(folder, "_p.txt", "a cat --sampler \u009b31m\u202e" + std::string(2000, 'x'));
       },
       "\\x9b31m\\u202e"},
      {"TomlText", 2,
       [](const fs::path& folder) {
         write(folder / "_c.toml", "sampler = " + Json(kHostile).dump());
         return drawing({"--config", "_c.toml"});
       }},
      {"TomlWord", 2,
       [](const fs::path& folder) {
         write(folder / "_c.toml", "steps = " + kBytes);
         return drawing({"--config", "_c.toml"});
       }},
      {"TomlKey", 2,
       [](const fs::path& folder) {
         write(folder / "_c.toml", kBytes + " = 1");
         return drawing({"--config", "_c.toml"});
       }},
      {"Flag", 2, [](const fs::path&) { return drawing({"--" + kHostile}); }},
      {"ModelOfAPicture", 0,
       [](const fs::path& folder) {
         const std::string text = "a cat\nSteps: 2, Seed: 1, Model: " + Json(kHostile).dump();
         const std::vector<std::uint8_t> png =
             encode_png(Image{32, 32, std::vector<std::uint8_t>(3 * 32 * 32)}, {{"parameters", text}});
         write(folder / "_x.png", {png.begin(), png.end()});
         return drawing({"--edit-from", "_x.png"});
       }},
      {"TextOfAPicture", 0,
       [](const fs::path& folder) {
         const std::vector<std::uint8_t> png = encode_png(Image{1, 1, {0, 0, 0}}, {{"Comment", kHostile}});
         write(folder / "_x.png", {png.begin(), png.end()});
         return std::vector<std::string>{"inspect", "_x.png"};
       }},
      {"ChunkOfAPicture", 3,
       [](const fs::path& folder) {
         write(folder / "_x.png", png_with_chunk("\x1b"
                                                 "c\x9b\a"));
         return drawing({"--init-image", "_x.png"});
       },
       "\\x1bc\\x9b\\x07"},
  };
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(OfModels, HostileText, ::testing::ValuesIn(model_files()), name_of);
INSTANTIATE_TEST_SUITE_P(OfRequests, HostileText, ::testing::ValuesIn(request_files()), name_of);

using HostileJson = Binary;

TEST_F(HostileJson, IsValidJson) {
  write(folder() / "_x.safetensors", tensor_file(kHostile, "F32", {{kHostile, kHostile}}));
  const ProcessResult result = sd_gen({"inspect", "--json", "_x.safetensors"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_of(result.out).size(), 1u);
  EXPECT_EQ(Json::parse(result.out).at("metadata").at(kHostile), kHostile);
}

}  // namespace
}  // namespace sdgen::cli
