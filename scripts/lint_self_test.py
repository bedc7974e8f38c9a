"""Trees that break each rule of scripts/lint, so that it can be trusted: scripts/lint --self-test."""
import os
import subprocess
import tempfile

MAX_LINES = 400

CLEAN = {
    "CMakeLists.txt": "project(x)\n",
    ".gitignore": "/build*/\n__pycache__/\n",
    "build/junk.py": "ignored\n",
    "src/base/a.h": '#include <ATen/ATen.h>\n#include "sdgen/x.h"\n#include "base/b.h"\n',
    "src/base/b.h": "// a\n" * MAX_LINES,
    "src/weights/a.cpp": '#include "base/a.h"\n',
    "src/nn/a.cpp": '#include "weights/a.h"\n#include "base/a.h"\n',
    "src/text/a.cpp": '#include "nn/a.h"\n#include "sdgen/x.h"\n',
    "src/image/a.cpp": '#include "base/a.h"\n#include <stb/stb_image.h>\n',
    "src/run/a.cpp": '#include "text/a.h"\n#include "diffusion/a.h"\n#include "decode/a.h"\n#include "image/a.h"\n',
    "src/cli/a.cpp": '#include "cli/b.h"\n#include "sdgen/x.h"\n#include <CLI/CLI.hpp>\n#include <nlohmann/json.hpp>\n',
    "tests/text/a_test.cpp": '#include "text/a.h"\nconst char* pattern = "/tmp/sdgen-' + "X" * 6 + '";\n',
    "tests/golden/words.json": '["TO' 'DO", "/homework/a"]\n',
    "scripts/a.py": "x = 1\n",
    "scripts/b": '#!/bin/bash\necho "$root/wo' 'rk/a" "${x}/home/y" ~/wo' 'rk/z\n',
    "src/README.md": "# The house\n",
    "models/picture.png": "\0binary pypi" ".org",
    "include/sdgen/x.h": """// What x is. at::Tensor is not here.
#pragma once
#include <functional>
#include "sdgen/y.h"
namespace sdgen {
struct A {
  int i = f(3);
  std::function<void(int)> on_step;  // a member
  A(int i) : i(i) {}
  int size() const { return i; }
  // Runs.
  bool run(int n);
 private:
  int hidden = 0;
};
using F = int (*)(int);
enum class E { kA, kB = int(3) };
// "a, b" {
std::string join(const std::vector<std::string>& words,
                 const std::string& separator = ", (");
// Text.
template <typename T>
T twice(T x) {
  if (x) { return g(x); }
  return h(x);
}
/* Both kinds. */
int over(int x);
int over(double x);
}  // namespace sdgen
""",
}

# (rule, file, line, text of the file): each breaks one rule at that line.
BROKEN = [
    ("top-level", "tools/x.txt", 1, "x\n"),
    ("top-level", "NOTES.md", 1, "x\n"),
    ("layout", "src/x.cpp", 1, "int x;\n"),
    ("layout", "src/utils/x.cpp", 1, "int x;\n"),
    ("layout", "include/x.h", 1, "// X.\n"),
    ("layout", "tests/x.py", 1, "x = 1\n"),
    ("size", "src/base/long.cpp", MAX_LINES + 1, "// a\n" * (MAX_LINES + 1)),
    ("size", "tests/base/long_test.cpp", MAX_LINES + 1, "// a\n" * (MAX_LINES + 9)),
    ("includes", "src/base/up.cpp", 2, '\n#include "weights/a.h"\n'),
    ("includes", "src/base/src.cpp", 1, '#include "src/nn/a.h"\n'),
    ("includes", "src/base/angle.cpp", 1, "#include <nn/a.h>\n"),
    ("includes", "src/base/bare.cpp", 1, '#include "a.h"\n'),
    ("includes", "src/base/dots.cpp", 1, ' # include "../nn/a.h"\n'),
    ("includes", "src/weights/up.cpp", 1, '#include "nn/a.h"\n'),
    ("includes", "src/nn/up.cpp", 1, '#include "text/a.h"\n'),
    ("includes", "src/text/side.cpp", 1, '#include "diffusion/a.h"\n'),
    ("includes", "src/diffusion/side.h", 1, '#include "decode/a.h"\n'),
    ("includes", "src/decode/side.cpp", 1, '#include "text/a.h"\n'),
    ("includes", "src/decode/image.cpp", 1, '#include "image/a.h"\n'),
    ("includes", "src/image/up.cpp", 1, '#include "weights/a.h"\n'),
    ("includes", "src/run/up.cpp", 1, '#include "cli/b.h"\n'),
    ("includes", "src/models/up.cpp", 1, '#include "run/a.h"\n'),
    ("includes", "src/plain/up.cpp", 1, '#include "base/a.h"\n'),
    ("includes", "src/weights/facade.cpp", 1, '#include "sdgen/generator.h"\n'),
    ("includes", "src/cli/down.cpp", 1, '#include "base/a.h"\n'),
    ("includes", "src/cli/torch.cpp", 1, "#include <ATen/ATen.h>\n"),
    ("public", "include/sdgen/a.h", 2, "// A.\n#include <ATen/ATen.h>\n"),
    ("public", "include/sdgen/b.h", 2, "// A.\n#include <CLI/CLI.hpp>\n"),
    ("public", "include/sdgen/c.h", 2, '// A.\n#include "base/a.h"\n'),
    ("public", "include/sdgen/d.h", 2, "// A.\nstruct X { at::Tensor t; };\n"),
    ("documentation", "include/sdgen/e.h", 1, "#pragma once\n"),
    ("documentation", "include/sdgen/f.h", 3, "// A.\n\nint f(int x);\n"),
    ("documentation", "include/sdgen/g.h", 5, "// A.\nnamespace s {\n// F.\nint f(int x);\nint g(int x);\n}\n"),
    ("documentation", "include/sdgen/h.h", 4, "// A.\nclass X {\n public:\n  std::map<int, int> run(int x) const;\n};\n"),
    ("documentation", "include/sdgen/i.h", 5, "// A.\n// F.\nint f(int x) { return x; }\n\ninline int g() {\n return 1;\n}\n"),
    ("unfinished", "src/base/w.cpp", 2, "\n// TO" "DO\n"),
    ("unfinished", "scripts/w.py", 1, "# FIX" "ME later\n"),
    ("unfinished", "scripts/w", 2, "#!/bin/sh\nfail 'not " "implemented'\n"),
    ("registry", "README.md", 1, "see https://pypi" ".org/simple\n"),
    ("registry", ".ci/x", 1, "https://download.py" "torch.org/whl\n"),
    ("machine-path", "tests/p.cpp", 1, 'const char* p = "/ro' 'ot/x";\n'),
    ("machine-path", "README.md", 2, "\ncd /ho" "me/ann/sd-gen\n"),
]


def make_tree(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def self_test(check):
    failures = 0

    def expect(what, found, wanted):
        nonlocal failures
        if sorted(found) != sorted(wanted):
            failures += 1
            print(f"self-test: {what}: expected {wanted}, got {sorted(found)}")

    def violations(root):
        return [(rule, name, line) for name, line, rule, _ in check(root)]

    with tempfile.TemporaryDirectory() as root:
        make_tree(root, CLEAN)
        expect("a clean tree", violations(root), [])
    for rule, name, line, text in BROKEN:
        with tempfile.TemporaryDirectory() as root:
            make_tree(root, {**CLEAN, name: text})
            expect(f"{name} breaking '{rule}'", violations(root), [(rule, name, line)])
    with tempfile.TemporaryDirectory() as root:
        make_tree(root, {"README.md": "x\n"})
        expect("an empty tree", violations(root), [("layout", "src", 1), ("layout", "include", 1)])
    with tempfile.TemporaryDirectory() as root:  # in a git checkout a user's own files at the top level are let alone
        make_tree(root, {**CLEAN, "holiday.txt": "/ho" "me/ann\n", "src/base/new.cpp": '#include "cli/b.h"\n',
                         "tools/x": "x\n"})
        try:
            subprocess.run(["git", "init", "-q", root], check=True, capture_output=True)
            subprocess.run(["git", "-C", root, "add", "tools", "src/nn", "src/base/a.h"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            print("self-test: no git here; its part is left out")
        else:
            expect("a git checkout", violations(root), [("top-level", "tools/x", 1), ("includes", "src/base/new.cpp", 1)])
    print(f"self-test: {failures} failures in {len(BROKEN) + 3} trees")
    return 1 if failures else 0
