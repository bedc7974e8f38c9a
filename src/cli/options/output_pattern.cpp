#include "cli/options/output_pattern.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "cli/options/nearest.h"
#include "cli/options/refuse.h"
#include "plain/utf8.h"
#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

constexpr std::size_t kMaxPartBytes = 100;

struct OutputField {
  std::string_view name;
  std::string (*text)(const PictureFacts&);
};

constexpr std::array kFields = {
    OutputField{"index", [](const PictureFacts& p) { return padded(p.index, p.total); }},
    OutputField{"seed", [](const PictureFacts& p) { return std::to_string(p.seed); }},
    OutputField{"prompt", [](const PictureFacts& p) { return file_name_part(p.job.prompt); }},
    OutputField{"width", [](const PictureFacts& p) { return std::to_string(*p.job.width); }},
    OutputField{"height", [](const PictureFacts& p) { return std::to_string(*p.job.height); }},
    OutputField{"steps", [](const PictureFacts& p) { return std::to_string(*p.job.steps); }},
    OutputField{"sampler", [](const PictureFacts& p) { return file_name_part(*p.job.sampler); }},
    OutputField{"guidance-scale",
                [](const PictureFacts& p) { return nlohmann::json(*p.job.guidance_scale).dump(); }},
    OutputField{"model", [](const PictureFacts& p) { return file_name_part(p.model); }},
};

const OutputField* find_output_field(std::string_view name) {
  const auto found =
      std::find_if(kFields.begin(), kFields.end(), [&](const auto& field) { return field.name == name; });
  return found == kFields.end() ? nullptr : &*found;
}

// Reads the field whose { is at `at`; leaves `at` on its }.
Piece read_field(const std::string& pattern, std::size_t& at) {
  const std::size_t close = pattern.find('}', at);
  if (close == std::string::npos) refuse("output '" + pattern + "': no } for the {; write {{ for a brace");
  std::string name = pattern.substr(at + 1, close - at - 1);
  std::replace(name.begin(), name.end(), '_', '-');
  if (!find_output_field(name))
    refuse("output '" + pattern + "': unknown field {" + name + "}" +
           hint_and_list(name, output_field_names(), "known"));
  at = close;
  return {true, name};
}

}  // namespace

std::vector<std::string> output_field_names() {
  std::vector<std::string> names;
  for (const OutputField& field : kFields) names.emplace_back(field.name);
  return names;
}

std::vector<Piece> parse_pattern(const std::string& pattern) {
  std::vector<Piece> pieces(1);
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if ((c == '{' || c == '}') && pattern.substr(at + 1, 1) == std::string(1, c)) {
      pieces.back().text += pattern[at++];
    } else if (c == '{') {
      pieces.push_back(read_field(pattern, at));
      pieces.emplace_back();
    } else if (c == '}') {
      refuse("output '" + pattern + "': a } without a {; write }} for a brace");
    } else {
      pieces.back().text += c;
    }
  }
  return pieces;
}

bool is_plain(const std::vector<Piece>& pieces) {
  return std::none_of(pieces.begin(), pieces.end(), [](const Piece& piece) { return piece.is_field; });
}

std::string expand(const std::vector<Piece>& pieces, const PictureFacts& picture) {
  std::string name;
  for (const Piece& piece : pieces)
    name += piece.is_field ? find_output_field(piece.text)->text(picture) : piece.text;
  return name;
}

std::string padded(std::size_t number, std::size_t last) {
  const std::string digits = std::to_string(number);
  return std::string(std::to_string(last).size() - digits.size(), '0') + digits;
}

std::string file_name_part(std::string_view text) {
  constexpr std::string_view kRefused = "/\\:*?\"<>|{}-";
  std::string part;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    const bool is_c1 = c == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
    if (is_c1) ++at;
    const bool is_gap = is_c1 || c <= 0x20 || c == 0x7F || kRefused.find(text[at]) != std::string_view::npos;
    if (!is_gap)
      part += text[at];
    else if (!part.ends_with('-'))
      part += '-';
  }
  part.erase(0, std::min(part.find_first_not_of(".-"), part.size()));
  part = std::string(utf8_prefix(part, kMaxPartBytes));
  while (!part.empty() && (part.back() == '.' || part.back() == '-')) part.pop_back();
  return part.empty() ? "untitled" : part;
}

}  // namespace sdgen::cli
