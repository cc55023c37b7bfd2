#!/bin/sh
# Runs the kernels under AddressSanitizer and UndefinedBehaviorSanitizer, on shapes that touch every
# edge. Takes the compiler from CXX; works in a directory of its own.
set -eu
sources=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compiler=${CXX:-c++}
flags="-std=c++14 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
build() {
    # shellcheck disable=SC2086
    "$compiler" $flags "$@"
}
for source in gated isa_baseline isa_avx2 isa_avx512; do
    isa=""
    case "$(uname -m)-$source" in
        x86_64-isa_avx2) isa="-mavx2 -mfma" ;;
        x86_64-isa_avx512) isa="-mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma" ;;
    esac
    # shellcheck disable=SC2086
    build $isa -c "$sources/$source.cpp" -o "$work/$source.o" &
done
build -I "$sources" -c "$sources/check/main.cpp" -o "$work/main.o" &
wait
build "$work"/*.o -pthread -o "$work/check"
"$work/check"
