// draw MODEL PROMPT OUT.png
#include <sdgen/generator.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    sdgen::Generator generator(argv[1], {.dtype = sdgen::DType::kFloat32});
    const sdgen::Request request = generator.complete({.prompt = argv[2], .steps = 2, .seed = 1});
    generator.run({request}, {}, {.on_picture = [&](const sdgen::Picture& picture) {
                    const std::string text = sdgen::parameters_text(request, picture.seed, generator.info());
                    sdgen::write_file_atomically(argv[3],
                                                 sdgen::encode_png(picture.image, {{"parameters", text}}),
                                                 /*overwrite=*/true);
                  }});
  } catch (const sdgen::Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.kind());
  }
}
