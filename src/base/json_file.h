// JSON files of model folders, with errors that name file and key.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plain/errors.h"

namespace sdgen {

using Json = nlohmann::json;

// Bare Infinity, -Infinity and NaN, which Python writes for floats, are read as null.
// Throws Error(kInput) if `path` is missing, over `max_bytes`, or not JSON (with line and column), as
// parse_json() does.
Json read_json_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{64} << 20);

// Twice the values of the largest tokenizers' files; each takes up to 180 bytes of memory, whatever it takes
// in the file.
inline constexpr std::size_t kMaxJsonValues = 4'000'000;

// Throws Error(kInput) beginning with `where` (a file, a key of it) for what is not JSON, too deep, too many
// values, or has a number out of double's range.
Json parse_json(std::string_view text, const std::string& where);

// A value for a message: short, on one line, in ASCII; containers by their kind.
std::string shown(const Json& value);

// A JSON object read from a file; what it throws names the file and the key.
struct Config {
  std::filesystem::path path;
  Json json;

  static Config read(const std::filesystem::path& path);

  bool has(const std::string& key) const { return json.contains(key) && !json.at(key).is_null(); }

  // The value of `key`; Error(kInput) if it is absent, null or of another type.
  template <typename T>
  T at(const std::string& key) const {
    if (!has(key)) fail_input(path.string(), ": key '", key, "' is missing");
    return as<T>(key);
  }

  // The value of `key`, or `fallback` where it is absent or null.
  template <typename T>
  T value(const std::string& key, const T& fallback) const {
    return has(key) ? as<T>(key) : fallback;
  }

 private:
  // Whole numbers stay whole: nlohmann would cut 2.7 to 2 and wrap what does not fit.
  template <typename T>
  static T integer(const Json& value) {
    if (!value.is_number_integer()) return value.at("integer").get<T>();  // throws
    if (value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                   : std::in_range<T>(value.get<std::int64_t>()))
      return value.get<T>();
    return value.at("integer").get<T>();  // throws
  }

  template <typename T>
  T as(const std::string& key) const {
    try {
      if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) return integer<T>(json.at(key));
      return json.at(key).get<T>();
    } catch (const Json::exception&) {
      fail_input(path.string(), ": key '", key, "' has the unusable value ", shown(json.at(key)));
    }
  }
};

}  // namespace sdgen
