#!/bin/sh
# Builds the native library: build.sh OUTPUT [ARCHITECTURES], with nvcc on the PATH or in NVCC.
# Architectures are compute capabilities; PTX of the newest lets the driver compile for what comes after.
set -eu
output=$1
architectures=${2:-"80 86 89 90a"}
here=$(cd "$(dirname "$0")" && pwd)
flags=""
for architecture in $architectures; do
    flags="$flags -gencode arch=compute_$architecture,code=sm_$architecture"
done
mkdir -p "$(dirname "$output")"
"${NVCC:-nvcc}" -std=c++17 -O3 --expt-relaxed-constexpr --threads 0 $flags -gencode arch=compute_90,code=compute_90 \
    -shared -Xcompiler -fPIC,-Wall,-fvisibility=hidden -o "$output" "$here"/*.cu "$here"/*.cpp -ldl
