#!/bin/sh
# Runs plora on a GPU host that has no Java:
#   run.sh tests OPTION...           JUnit's ConsoleLauncher: --select-class NAME, --include-tag gpu, --scan-classpath=FOLDER
#   run.sh MAIN_CLASS ARGUMENT...    a program, such as io.plora.examples.gpu.BackendCheck
# JVM options go into JAVA_OPTIONS. CUDA 13's libraries are looked for in CUDA_HOME, Python's nvidia packages, the linker's
# cache and /usr/local/cuda, in this order.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

if [ $# -eq 0 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi

cuda_folders() {
    if [ -n "${CUDA_HOME:-}" ]; then echo "$CUDA_HOME/lib64"; fi
    python3 -c 'import nvidia; print("\n".join(folder + "/cu13/lib" for folder in nvidia.__path__))' 2>/dev/null || true
    ldconfig -p 2>/dev/null | sed -n 's|.*=> \(.*\)/libcublas\.so\.13.*|\1|p' || true
    echo /usr/local/cuda/lib64
}

libraries=$here/forwarders
for folder in $(cuda_folders); do
    if [ -e "$folder/libcublas.so.13" ]; then libraries=$libraries:$folder; fi
done
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

class_path=
for folder in "$here"/plora-*/target/classes "$here"/plora-*/target/test-classes; do
    class_path=$class_path$folder:
done
class_path=$class_path$here/lib/*

if [ "$1" = tests ]; then
    shift
    set -- org.junit.platform.console.ConsoleLauncher execute --disable-banner "$@"
fi
cd "$here"
# shellcheck disable=SC2086  # several options
exec "$here/runtime/bin/java" -Dorg.bytedeco.javacpp.maxphysicalbytes=0 -Dorg.bytedeco.javacpp.cachedir="$here/cache" \
    -Dlogback.statusListenerClass=ch.qos.logback.core.status.NopStatusListener ${JAVA_OPTIONS:-} -cp "$class_path" "$@"
