#include "base/json_file.h"

#include <fstream>
#include <sstream>

namespace sdgen {
namespace {

// Replaces what Python's json writes for floats that JSON has no word for.
std::string without_bare_infinities(std::string text) {
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (in_string && text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      for (const std::string word : {"-Infinity", "Infinity", "NaN"})
        if (text.compare(at, word.size(), word) == 0) text.replace(at, word.size(), "null");
    }
  }
  return text;
}

}  // namespace

Json read_json_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) fail_input(path.string(), ": cannot be read: ", error.message());
  if (size > max_bytes)
    fail_input(path.string(), ": ", size, " bytes are too many for a JSON file (limit ", max_bytes, ")");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) fail_input(path.string(), ": cannot be read");
  try {
    return Json::parse(without_bare_infinities(text.str()));
  } catch (const Json::parse_error& parse_error) {
    std::string what =
        parse_error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const auto where = what.find("parse error");
    fail_input(path.string(), ": not JSON: ", where == std::string::npos ? what : what.substr(where));
  }
}

Config Config::read(const std::filesystem::path& path) {
  Config config{path, read_json_file(path)};
  if (!config.json.is_object()) fail_input(path.string(), ": expected a JSON object");
  return config;
}

}  // namespace sdgen
