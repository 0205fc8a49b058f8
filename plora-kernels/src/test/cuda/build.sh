#!/bin/sh
# Builds the native tests and benchmarks: build.sh DIRECTORY ARCHITECTURE, such as 90a, or `emulated` for tests that run
# without a GPU (x86-64; g++ and CUDA's headers in CUDA_HOME).
set -eu
directory=$1
architecture=$2
here=$(cd "$(dirname "$0")" && pwd)
main=$here/../../main/cuda
mkdir -p "$directory"

compile() { # name of the object, source
    if [ "$architecture" = emulated ]; then
        g++ -std=c++17 -O2 -fno-strict-aliasing -DPLORA_EMULATE -I"${CUDA_HOME:-/usr/local/cuda}/include" -I"$main" -I"$here" \
            -Wall -Wextra -Wno-unknown-pragmas -x c++ -c "$2" -o "$1"
    else
        "${NVCC:-nvcc}" -std=c++17 -O3 --expt-relaxed-constexpr -lineinfo \
            -gencode "arch=compute_$architecture,code=sm_$architecture" -I"$main" -I"$here" -c "$2" -o "$1"
    fi
}

link() { # name of the program, objects
    program=$directory/$1
    shift
    if [ "$architecture" = emulated ]; then g++ "$@" -o "$program"; else "${NVCC:-nvcc}" "$@" -ldl -o "$program"; fi
}

library="" tests="" running=""
for source in "$main"/*.cu "$main"/*.cpp "$here"/*.cu "$here"/*.cpp; do
    name=$(basename "$source")
    object=$directory/$name.o
    case $architecture/$name in
        emulated/device.cu | emulated/program.cu | emulated/blas.cpp | emulated/*_bench.cu) continue ;;
        emulated/*) ;;
        */emulation.cpp) continue ;;
    esac
    case $source in
        *_test.cu | *test_main.cu) tests="$tests $object" ;;
        *_bench.cu) ;;
        *) library="$library $object" ;;
    esac
    compile "$object" "$source" &
    running="$running $!"
done
for process in $running; do wait "$process"; done
link test $tests $library
if [ "$architecture" != emulated ]; then
    for bench in lora step; do link "${bench}_bench" "$directory/${bench}_bench.cu.o" $library; done
fi
