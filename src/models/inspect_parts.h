// The pieces that inspect() is made of.
#pragma once

#include <string>

#include "models/families/family.h"
#include "sdgen/inspect.h"
#include "weights/tensor_source.h"

namespace sdgen {

// Counts what is in `source`.
InspectedComponent inspected_component(const std::string& name, const std::string& class_name,
                                       const TensorSource& source);

// Each fills kind, family, facts and components if the file is of its kind; returns whether it is.
bool inspect_lora(const TensorSource& source, Inspection& inspection);
bool inspect_embedding(const TensorSource& source, Inspection& inspection);
bool inspect_by_names(const TensorSource& source, Inspection& inspection);

// The first tensor whose name ends in `ending`: its size `dimension`; 0 if there is none.
std::int64_t size_by_ending(const TensorSource& source, const std::string& ending, std::size_t dimension);

}  // namespace sdgen
