#include "weights/formats/safetensors_write.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "sdgen/image.h"
#include "support/golden.h"
#include "weights/formats/safetensors.h"

namespace sdgen {
namespace {

TEST(EncodeSafetensors, IsReadBack) {
  const Tensor a = at::arange(12, at::kFloat).view({3, 4}).t(), b = at::empty({0, 2}), c = at::tensor(2.5F);
  const auto path = std::filesystem::temp_directory_path() / "sdgen-encode.safetensors";
  write_file_atomically(path, encode_safetensors({{"a", a}, {"b \"é\"", b}, {"c", c}}, {{"prompt", "x"}}),
                        true);
  const auto source = open_safetensors(path);
  EXPECT_EQ(source->keys().size(), 3u);
  EXPECT_TRUE(testing::is_close(source->read("a"), a, 0.0));
  EXPECT_EQ(source->find("b \"é\"")->shape, (std::vector<std::int64_t>{0, 2}));
  EXPECT_TRUE(testing::is_close(source->read("c"), c, 0.0));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace sdgen
