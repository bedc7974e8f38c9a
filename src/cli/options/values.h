// Texts and JSON values turned into typed values: the whole of it must fit, nothing is rounded or cut off.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sdgen/request.h"

namespace sdgen::cli {

// All throw Error(kRequest) as "NAME: expected ..., got ...".
void parse_value(const std::string& name, const std::string& text, int& value);
void parse_value(const std::string& name, const std::string& text, std::uint64_t& value);
void parse_value(const std::string& name, const std::string& text, double& value);  // finite
void parse_value(const std::string& name, const std::string& text, bool& value);    // true, false
void parse_value(const std::string& name, const std::string& text, std::string& value);

// "red apple:1.5; car:0.5"
void parse_value(const std::string& name, const std::string& text, std::vector<WordWeight>& value);
// "apple=0,0,0.5,1; car=0.5,0,1,1"
void parse_value(const std::string& name, const std::string& text, std::vector<WordBox>& value);
// "a.png; b.png", "1; 0.5"
void parse_value(const std::string& name, const std::string& text, std::vector<std::string>& value);
void parse_value(const std::string& name, const std::string& text, std::vector<double>& value);

// A number must be a JSON number and a text a JSON string; integers are exact over all 64 bits.
void parse_value(const std::string& name, const nlohmann::json& json, int& value);
void parse_value(const std::string& name, const nlohmann::json& json, std::uint64_t& value);
void parse_value(const std::string& name, const nlohmann::json& json, double& value);
void parse_value(const std::string& name, const nlohmann::json& json, bool& value);
void parse_value(const std::string& name, const nlohmann::json& json, std::string& value);
// A text as above, or an array of such texts.
void parse_value(const std::string& name, const nlohmann::json& json, std::vector<WordWeight>& value);
void parse_value(const std::string& name, const nlohmann::json& json, std::vector<WordBox>& value);
// A single value as above, or an array of them.
void parse_value(const std::string& name, const nlohmann::json& json, std::vector<std::string>& value);
void parse_value(const std::string& name, const nlohmann::json& json, std::vector<double>& value);

}  // namespace sdgen::cli
