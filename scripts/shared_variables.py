"""Fails where two libraries that one program loads define the same variable in different sizes.

    scripts/shared_variables.py BINARY...

The dynamic linker gives all of them the first one's memory, and the one with the larger variable writes over what lies
beside it. Each BINARY stands for one scope of symbols: the file itself and everything it is linked with.
"""
import re
import subprocess
import sys
from collections import defaultdict

VARIABLE = set("BbDdGgRrSsuVv")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def libraries(binary):
    """The file and what the dynamic linker loads with it."""
    linked = output("ldd", binary)
    if "not found" in linked:
        sys.exit(f"{binary}: a library is missing:\n{linked}")
    return [binary] + re.findall(r"(/\S+) \(0x", linked)


def variables(library):
    """(name with version, size) of each variable that others can see."""
    for line in output("nm", "-D", "-S", "--defined-only", library).splitlines():
        parts = line.split()  # address, size, type, name
        if len(parts) == 4 and parts[2] in VARIABLE:
            yield parts[3].replace("@@", "@"), int(parts[1], 16)


def clashes(binary):
    sizes = defaultdict(dict)
    for library in libraries(binary):
        for name, size in variables(library):
            sizes[name][library] = size
    return [(name, by_library) for name, by_library in sorted(sizes.items()) if len(set(by_library.values())) > 1]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    found = 0
    for binary in sys.argv[1:]:
        for name, by_library in clashes(binary):
            found += 1
            print(f"{binary}: {name}: " + ", ".join(f"{size} bytes in {library}" for library, size in by_library.items()))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
