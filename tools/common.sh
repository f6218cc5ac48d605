# shellcheck shell=sh
# shellcheck disable=SC2154 # program
# What the scripts in this directory share: sourced by them, never run. Who sources it has set $program.

die() { # SENTENCE
    printf '%s: error: %s\n' "$program" "$1" >&2
    exit 1
}

usage_error() { # SENTENCE
    printf '%s: error: %s\n' "$program" "$1" >&2
    printf "%s: hint: see '%s --help'\n" "$program" "$program" >&2
    exit 2
}

jobs() {
    nproc 2>/dev/null || echo 2
}

# Runs a command with its addresses not randomised, where the kernel lets us: the sanitizers of this
# generation of compilers cannot place their shadow memory under all of today's kernels' layouts.
run_at_fixed_addresses() { # COMMAND...
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        setarch "$(uname -m)" -R "$@"
    else
        "$@"
    fi
}

# Configures and builds one of CMakePresets.json in build/PRESET, in the directory of the sources.
build_preset() { # PRESET [TARGET...]
    build_name=$1
    mkdir -p build
    shift
    cmake --preset "$build_name" >"build/$build_name.configure" 2>&1 || {
        cat "build/$build_name.configure"
        return 1
    }
    cmake --build "build/$build_name" -j "$(jobs)" ${1:+--target "$@"}
}
