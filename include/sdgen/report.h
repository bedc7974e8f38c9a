// One page a run: the pictures, the prompts whose words light up where they were painted, steps, times,
// parameters, and the commands that repeat them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sdgen/generator.h"

namespace sdgen {

struct ReportPicture {
  std::string path;     // where it was written, for people
  std::string command;  // draws it again
  Request request;      // complete
  Picture picture;      // with or without attention maps
  std::vector<Preview> previews;
};

struct ReportStage {
  std::string name;
  double seconds = 0.0;  // of the whole run
  std::size_t count = 0;
};

struct RunReport {
  std::string command;  // as typed
  ModelInfo model;
  std::vector<ReportStage> stages;
  std::vector<ReportPicture> pictures;
};

// The page as HTML, whole in itself: it asks no network for anything.
std::string report_page(const RunReport& report);

}  // namespace sdgen
