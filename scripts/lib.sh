# shellcheck shell=bash
# What setup, quickstart and test share; sourced by them. Everything here speaks on standard error.

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
torch_version=2.13.0
# What PyTorch's CUDA build of that version needs to compute on the CPU (its METADATA, Requires-Dist: cuda-toolkit).
torch_cuda_runtime='cuda-toolkit[cudart,cupti]==13.0.3'

say() { printf 'sd-gen: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

# One set-up or build at a time in a checkout.
lock_checkout() {
  exec {lock_fd}<"$root"
  flock -n "$lock_fd" && return
  say "waiting for another set-up or build in $root"
  flock "$lock_fd"
}

unlock_checkout() { exec {lock_fd}<&-; }

# Runs a command in silence; if it fails, shows what it printed.
quietly() {
  local output
  output=$("$@" 2>&1) && return
  printf '%s\n' "$output" >&2
  return 1
}

# --- Debian packages ----------------------------------------------------------------------------------------------

# A tool found on PATH may be a shim that cannot run: ask it.
runs() { "$@" >/dev/null 2>&1; }

# The first CMake that is new enough (3.25: presets version 6).
find_cmake() {
  local candidate version
  for candidate in "$(cache_entry CMAKE_COMMAND)" cmake /usr/bin/cmake; do
    version=$([[ -n $candidate ]] && "$candidate" --version 2>/dev/null | sed -n 's/^cmake version //p') || continue
    if printf '3.25\n%s\n' "$version" | sort -CV; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

find_ninja() {
  local candidate
  for candidate in /usr/bin/ninja ninja; do
    if runs "$candidate" --version; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# missing_packages [FURTHER...]
missing_packages() {
  if [[ ! -e $root/build/build.ninja ]] || [[ ! -x $(cache_entry CMAKE_COMMAND) ]]; then
    runs "${CXX:-g++}" --version || echo g++
    find_cmake >/dev/null || echo cmake
    find_ninja >/dev/null || echo ninja-build
    runs ccache --version || echo ccache
    runs pkg-config --version || echo pkg-config
    runs python3 --version || echo python3
  fi
  if ! find_libtorch >/dev/null && ! find_python >/dev/null; then
    echo python3-venv
  fi
  local libraries=(libsentencepiece-dev libcli11-dev libspdlog-dev libstb-dev nlohmann-json3-dev zlib1g-dev libjpeg-dev
    libwebp-dev libavif-dev libgif-dev libutf8proc-dev fonts-dejavu-core libgtest-dev libgmock-dev libbenchmark-dev "$@")
  { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${libraries[@]}" 2>/dev/null || true; } |
    sed -n 's/^.i  *//p' | sort -u | comm -13 - <(printf '%s\n' "${libraries[@]}" | sort)
}

# install_packages [FURTHER...]
install_packages() {
  # Elsewhere than on Debian and its kin CMake names what it cannot find.
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
  local packages as_root=()
  mapfile -t packages < <(missing_packages "$@")
  ((${#packages[@]})) || return 0

  if ((EUID != 0)); then
    as_root=(sudo)
    [[ -t 2 ]] || as_root=(sudo -n)  # on a terminal sudo may ask for its password
    if ! command -v sudo >/dev/null || ! "${as_root[@]}" true; then
      say "Debian packages are missing, and installing them needs root. Run this as root, then try again:"
      printf 'apt-get install --no-install-recommends %s\n' "${packages[*]}" >&2
      exit 1
    fi
  fi
  say "installing Debian packages (as root): ${packages[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  # Offline, yesterday's lists may still do.
  quietly "${apt[@]}" update || say "apt-get update failed; trying with the package lists there are"
  quietly "${apt[@]}" install -y --no-install-recommends "${packages[@]}" ||
    fail "apt-get could not install them; its message is above"
  hash -r
}

# --- libtorch -----------------------------------------------------------------------------------------------------

has_libtorch() { [[ -e $1/include/ATen/ATen.h && -e $1/lib/libtorch_cpu.so ]]; }

# Prints the root of the libtorch to build with, looked for where CMakeLists.txt looks.
find_libtorch() {
  local candidate candidates=() prefixes
  if [[ -n ${Torch_DIR:-} ]]; then
    candidates+=("$Torch_DIR/../../..")
  fi
  IFS=':;' read -ra prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  for candidate in "${prefixes[@]}"; do
    candidates+=("$candidate" "$candidate/../..")
  done
  candidate=$(cache_entry TORCH_INCLUDE_DIR)
  [[ $candidate == "$root"/.venv/* ]] || candidates+=("${candidate%/include}")
  for candidate in "${candidates[@]}"; do
    if [[ -n $candidate ]] && has_libtorch "$candidate"; then
      readlink -f "$candidate"
      return
    fi
  done
  candidate=$(venv_torch)
  [[ -z $(venv_state) || $(venv_state) == "$venv_complete" ]] && has_libtorch "$candidate" && echo "$candidate"
}

venv_torch() { echo "$root"/.venv/lib/python3*/site-packages/torch; }

# .venv/sdgen-setup says how far an environment of ours has come; one that is unfinished or for another version is
# made anew, one without that file is the user's.
venv_state() { cat "$root/.venv/sdgen-setup" 2>/dev/null || true; }
venv_complete="PyTorch $torch_version by scripts/setup"

# Prints a Python that can make virtual environments with pip in them and that PyTorch has wheels for.
find_python() {
  local candidate
  for candidate in python3.11 python3 /usr/bin/python3; do
    if runs "$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))'; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

install_libtorch() {
  if [[ -n ${Torch_DIR:-} ]] && ! has_libtorch "$Torch_DIR/../../.."; then
    fail "Torch_DIR is $Torch_DIR, but there is no libtorch three folders up (include/ATen/ATen.h, lib/libtorch_cpu.so)"
  fi
  torch_root=$(find_libtorch) && return
  local python
  python=$(find_python) || fail "no Python 3.10 to 3.14 with venv and ensurepip (Debian: python3-venv), which installs libtorch"
  if [[ -e $root/.venv && -z $(venv_state) ]] && ! rmdir "$root/.venv" 2>/dev/null; then
    fail "$root/.venv was not made by scripts/setup and holds no PyTorch: remove it, or set Torch_DIR to a libtorch"
  fi
  say "installing libtorch (PyTorch $torch_version for CPU, 200 to 600 MB to fetch) into .venv"
  rm -rf "$root/.venv"
  mkdir "$root/.venv"
  echo "unfinished" >"$root/.venv/sdgen-setup"
  quietly "$python" -m venv "$root/.venv" || fail "$python could not make the virtual environment .venv"
  install_torch_wheel
  echo "$venv_complete" >"$root/.venv/sdgen-setup"
  torch_root=$(find_libtorch) || fail "PyTorch $torch_version is installed in .venv, but without include/ATen/ATen.h"
}

pip_install() {
  local index=()
  [[ -z ${SDGEN_TORCH_INDEX:-} ]] || index=(--index-url "$SDGEN_TORCH_INDEX")
  PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$root/.venv/bin/python" -m pip install -q --no-input \
    --only-binary=:all: "${index[@]}" "$@" 2>&1
}

# Only PyTorch's headers and shared libraries are used, so none of the packages its Python part depends on.
install_torch_wheel() {
  local message lib
  if ! message=$(pip_install --no-deps "torch==$torch_version+cpu"); then
    # An index without the CPU build: the CUDA build computes on the CPU too, given two small libraries. Its CUDA
    # half would need several GB more and is taken away.
    message=$(pip_install --no-deps "torch==$torch_version") || fail_pip "$message"
    lib=$(venv_torch)/lib
    if [[ -e $lib/libtorch_cuda.so ]]; then
      message=$(pip_install "$torch_cuda_runtime") || fail_pip "$message"
      rm -f "$lib"/libtorch_cuda*.so "$lib"/libc10_cuda.so
      ln -sf libtorch_cpu.so "$lib/libtorch.so"  # an empty library that only names the two halves
    fi
  fi
  lib=$(venv_torch)/lib
  message=$(ldd "$lib/libtorch_cpu.so" 2>&1) || true
  [[ $message != *"not found"* ]] || fail "libtorch in .venv lacks libraries:"$'\n'"$(grep 'not found' <<<"$message")"
}

fail_pip() {
  printf '%s\n' "$1" >&2
  say "pip could not install PyTorch $torch_version; its message is above. To go on, mend what it names, or set"
  say "SDGEN_TORCH_INDEX to a package index that has it (PyTorch's index of CPU wheels), or set"
  fail "Torch_DIR to <libtorch>/share/cmake/Torch of a libtorch 2.7 to 2.13"
}

# --- CLIP's vocabulary --------------------------------------------------------------------------------------------

# Only single-file checkpoints need it, so that failing to fetch it fails nothing else.
fetch_clip_vocabulary() {
  local folder=${XDG_DATA_HOME:-${HOME:-}/.local/share}/sd-gen/clip-tokenizer
  [[ ! -e $folder/vocab.json ]] || return 0
  say "fetching CLIP's vocabulary (2 MB) into $folder"
  quietly "$root/scripts/clip_vocabulary" ||
    say "CLIP's vocabulary was not fetched; models in a single file need it: run scripts/clip_vocabulary later"
}

# --- building -----------------------------------------------------------------------------------------------------

# An entry of the build folder's CMake cache; empty where there is none, or where the checkout was moved or copied
# with its build.
cache_entry() {
  local cache=$root/build/CMakeCache.txt
  [[ -e $cache && $(sed -n 's/^CMAKE_HOME_DIRECTORY:[A-Z]*=//p' "$cache") -ef $root ]] || return 0
  sed -n "s/^$1:[A-Z]*=//p" "$cache"
}

# As many jobs as cores, but no more than memory allows: 1.5 GiB a job.
build_jobs() {
  local cores kib limit
  cores=$(nproc)
  kib=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) || limit=max
  if [[ $limit != max ]] && ((limit / 1024 < kib)); then
    kib=$((limit / 1024))
  fi
  local fit=$((kib / 1572864))
  echo $((fit < 1 ? 1 : fit < cores ? fit : cores))
}

# True if build/ is configured as configure "$@" would; what CMake itself watches is left to the build.
is_configured() {
  local stamp=$root/build/sdgen-configured definition
  [[ -e $root/build/build.ninja && -e $stamp && ! $root/CMakePresets.json -nt $stamp ]] || return 1
  for definition in "$@"; do
    [[ $(cache_entry "${definition%%=*}") == "${definition#*=}" ]] || return 1
  done
}

# configure -DNAME=VALUE...: the release preset in build/.
configure() {
  local definitions=("-DTORCH_INCLUDE_DIR=$torch_root/include" "$@") fresh=()
  is_configured "${definitions[@]#-D}" && return
  [[ -n $(cache_entry CMAKE_HOME_DIRECTORY) ]] || fresh=(--fresh)
  say "configuring build/"
  # With the compiler and the libtorch that the tests are run with, warnings are errors for quickstart too, so that
  # scripts/test after it need not compile everything again.
  if [[ $torch_root == "$root"/.venv/* && $("${CXX:-g++}" -dumpversion 2>/dev/null) == 12 ]]; then
    definitions+=(-DSDGEN_WERROR=ON)
  fi
  quietly "$(find_cmake)" -S "$root" --preset release "${fresh[@]}" "-DCMAKE_MAKE_PROGRAM=$(find_ninja)" \
    "${definitions[@]}" || fail "CMake could not configure the build; its message is above"
  touch "$root/build/sdgen-configured"
}

# build TARGET
build() {
  local cmake jobs
  cmake=$(cache_entry CMAKE_COMMAND)
  jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(build_jobs)}
  NINJA_STATUS='[%f/%t] ' "$cmake" --build "$root/build" --target "$1" -j "$jobs" 2>&1 | show_progress "$1" ||
    fail "the build failed; see above"
}

# Ninja's lines on standard input become a counter on a terminal, a line each tenth elsewhere; the rest passes.
show_progress() {
  local line step steps tenth last=-1
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) ]]; then
      step=${BASH_REMATCH[1]} steps=${BASH_REMATCH[2]}
      case ${BASH_REMATCH[3]} in "Re-checking globbed"* | "Re-running CMake"*) continue ;; esac
      tenth=$((step * 10 / steps))
      if ((last < 0)); then
        say "building$([[ -e $root/build/sd-gen ]] || echo '; the first time takes some minutes')"
      fi
      if [[ -t 2 ]]; then
        printf '\r\033[K[%d/%d]' "$step" "$steps" >&2
      elif ((tenth > last && last >= 0)); then
        say "built $step of $steps"
      fi
      last=$tenth
    elif [[ $line != "-- "* && $line != "ninja: no work to do." && $line != "ninja: Entering directory"* ]]; then
      [[ -t 2 ]] && ((last >= 0)) && printf '\r\033[K' >&2
      printf '%s\n' "$line" >&2
    fi
  done
  if [[ -t 2 ]] && ((last >= 0)); then
    printf '\r\033[K' >&2
  fi
}
