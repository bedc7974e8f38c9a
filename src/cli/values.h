// Texts and JSON values turned into typed values: the whole of it must fit, nothing is rounded or cut off.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sdgen::cli {

// All throw Error(kRequest) as "NAME: expected ..., got ...".
void parse_value(const std::string& name, const std::string& text, int& value);
void parse_value(const std::string& name, const std::string& text, std::uint64_t& value);
void parse_value(const std::string& name, const std::string& text, double& value);  // finite
void parse_value(const std::string& name, const std::string& text, bool& value);    // true, false
void parse_value(const std::string& name, const std::string& text, std::string& value);

// A number must be a JSON number and a text a JSON string; integers are exact over all 64 bits.
void parse_value(const std::string& name, const nlohmann::json& json, int& value);
void parse_value(const std::string& name, const nlohmann::json& json, std::uint64_t& value);
void parse_value(const std::string& name, const nlohmann::json& json, double& value);
void parse_value(const std::string& name, const nlohmann::json& json, std::string& value);

}  // namespace sdgen::cli
