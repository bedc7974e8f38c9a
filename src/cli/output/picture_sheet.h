// All pictures of a run on one labelled sheet.
#pragma once

#include <map>
#include <utility>

#include "cli/output/side_outputs.h"
#include "sdgen/contact_sheet.h"

namespace sdgen::cli {

// Sweeps as a table: the last axis across, the others down. Other runs in rows as long as the sheet is high,
// each picture with what tells it from the others: its seed, its prompt. `pictures` by job and picture of the
// plan; those that failed are missing.
ContactSheet picture_sheet(const RunPlan& plan,
                           const std::map<std::pair<std::size_t, int>, Picture>& pictures);

}  // namespace sdgen::cli
