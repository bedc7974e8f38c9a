// Requests as text, apart from what computes: the command line needs it without libtorch.
#include <charconv>

#include "sdgen/request.h"

namespace sdgen {

std::string number_text(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

std::string attend_text(const std::vector<WordWeight>& attend) {
  std::string text;
  for (const WordWeight& entry : attend)
    text += (text.empty() ? "" : "; ") + entry.word + ":" + number_text(entry.weight);
  return text;
}

std::string focus_text(const std::vector<WordBox>& focus) {
  std::string text;
  for (const WordBox& box : focus) {
    text += (text.empty() ? "" : "; ") + box.word;
    char separator = '=';
    for (const double side : {box.x0, box.y0, box.x1, box.y1}) {
      text += separator + number_text(side);
      separator = ',';
    }
  }
  return text;
}

}  // namespace sdgen
