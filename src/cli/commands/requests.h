// From options to complete requests, every mistake found before anything is drawn.
#pragma once

#include <functional>

#include "cli/options/options.h"
#include "cli/options/prompt_file.h"
#include "cli/options/sweep.h"

namespace sdgen::cli {

// The command line's one request, or the prompt file's. Throws what read_prompt_file() throws.
// `arrived`: what standard input held, where it has been read already.
PromptFile read_requests(const Options& options, const std::string* arrived = nullptr);

struct SweptRequests {
  PromptFile file;
  std::vector<SweptValues> swept;  // by line; none where nothing is swept
};

// The same, or with --sweep one request for every combination, all with one seed. Throws Error(kRequest) for
// a sweep over a prompt file, or over flags that are no part of a request.
SweptRequests read_swept_requests(const Options& options, const std::string* arrived = nullptr);

// Generator::complete() or a stand-in.
using CompleteRequest = std::function<Request(const Request&)>;

// Completes every line in place. What the command line asks for is checked first, so that its own mistake is
// not reported once a line. Throws Error(kRequest) for that, PromptFileError for wrong lines, those in
// `file.errors` too.
void complete_requests(const CompleteRequest& complete, const Options& options, PromptFile& file);

// Completes one line in place; what is wrong with it becomes one of `file.errors`, and false. Throws what is
// not the line's fault.
bool complete_line(const CompleteRequest& complete, PromptLine& line, PromptFile& file);

}  // namespace sdgen::cli
