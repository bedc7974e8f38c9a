#include "weights/formats/weights_file.h"

#include <algorithm>
#include <string>

#include "base/input_file.h"
#include "plain/errors.h"
#include "weights/formats/file_mapping.h"
#include "weights/formats/other_file.h"
#include "weights/formats/pickle_file.h"
#include "weights/formats/safetensors.h"
#include "weights/scaled_source.h"

namespace sdgen {
namespace {

// torch.save before 1.6 begins with this number, pickled; Python's own files with a protocol number.
const std::string kOldMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", kZip = "PK\x03\x04";

std::string first_bytes(const std::filesystem::path& path) {
  const FileMapping file(path);
  return {reinterpret_cast<const char*>(file.data()), std::min(kTellingBytes, file.size())};
}

// A safetensors file begins with the length of its header, whose upper bytes are zero.
bool is_other_pickle(const std::string& bytes) {
  return bytes.size() > 8 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5 &&
         std::any_of(bytes.begin() + 4, bytes.begin() + 8, [](char byte) { return byte != 0; });
}

}  // namespace

std::shared_ptr<const TensorSource> open_stored_file(const std::filesystem::path& path) {
  if (is_folder(path)) fail_input(path.string(), ": is a folder, not a file of weights");
  const std::string bytes = first_bytes(path);
  if (bytes.starts_with(kZip)) return open_pickle(path);
  if (const std::string other = other_file(bytes); !other.empty()) fail_input(path.string(), ": ", other);
  if (bytes.starts_with(kOldMagic))
    fail_input(
        path.string(),
        ": PyTorch's format from before 1.6, which is not read; convert it to safetensors (with PyTorch: ",
        "safetensors.torch.save_file(torch.load(FILE, weights_only=True), ...))");
  if (is_other_pickle(bytes))
    fail_input(path.string(),
               ": a Python pickle, but not one of PyTorch's zip files; convert it to safetensors");
  return open_safetensors(path);
}

std::shared_ptr<const TensorSource> open_weights_file(const std::filesystem::path& path) {
  return read_scaled(open_stored_file(path));
}

}  // namespace sdgen
