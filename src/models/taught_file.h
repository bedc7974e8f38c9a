// What sdgen.json tells of a model's teaching.
#pragma once

#include "base/json_file.h"
#include "text/taught.h"

namespace sdgen {

// Throws Error(kInput) naming file and key for what is of another form.
Taught read_taught(const Config& defaults);

}  // namespace sdgen
