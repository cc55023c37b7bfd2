#!/bin/sh
# Compiles the kernels for aarch64, every warning an error, and runs their checks in an emulator where
# there is one. On Debian: apt-get install g++-aarch64-linux-gnu qemu-user-static
set -eu
sources=$(cd "$(dirname "$0")" && pwd)
compiler=${CXX:-aarch64-linux-gnu-g++}
if ! command -v "$compiler" >/dev/null; then
    echo "no $compiler: the kernels were not compiled for aarch64"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for source in gated isa_baseline isa_avx2 isa_avx512 check/main; do
    "$compiler" -std=c++14 -O2 -Wall -Wextra -Werror -I "$sources" -c "$sources/$source.cpp" \
        -o "$work/$(basename "$source").o"
done
"$compiler" -static "$work"/*.o -pthread -o "$work/check"
echo "compiled for aarch64"
for emulator in qemu-aarch64 qemu-aarch64-static; do
    if command -v "$emulator" >/dev/null; then
        "$emulator" "$work/check"
        exit 0
    fi
done
echo "no qemu-aarch64: the checks were not run"
