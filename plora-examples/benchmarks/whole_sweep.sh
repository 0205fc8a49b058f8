#!/bin/bash
# whole_sweep.sh TSV RESULTS [SECONDS]: a whole sweep on one GPU, in an unpacked bundle, within some seconds (580 unless told).
#
# PEFT's steps first, then the 120 configurations by continuous packing, by DTM (where RESULTS/dtm.jsonl has its plan, see
# SweepPlanFile with --memory-gib 70) and one by one: all of them where the time left may do, else one of each kind. What takes too
# long is killed. Rows are in RESULTS as soon as they are measured. From the environment: SAMPLES, MEMORY_GIB, JAVA_OPTIONS, ALL_ALONE
# (seconds that all one by one need, 240), SCRATCH (where the model and adapters lie, some 14 GB: /dev/shm).
set -u
usage='usage: whole_sweep.sh TSV RESULTS [SECONDS], in the folder of run.sh'
: "${1:?$usage}" "${2:?$usage}"
[ -x ./run.sh ] && [ -r "$1" ] && mkdir -p "$2" || { echo "$usage" >&2; exit 2; }
end=$((SECONDS + ${3:-580}))
tsv=$(realpath "$1") results=$(realpath "$2") here=$(cd "$(dirname "$0")" && pwd)
samples=${SAMPLES:-1000} space=$here/paper_sweep.csv
export JAVA_OPTIONS=${JAVA_OPTIONS:--Xmx32g}
folder=$(mktemp -d -p "${SCRATCH:-/dev/shm}" plora-sweep-XXXX) && trap 'rm -rf "$folder"' EXIT
model=$folder/Qwen2.5-0.5B
benchmarks=io.plora.examples.benchmark

within() { # SECONDS COMMAND...; not told to end: a sweep would save all that runs
    local seconds=$1 left=$((end - SECONDS))
    shift
    [ "$left" -gt 0 ] && timeout -s KILL "$((seconds < left ? seconds : left))" "$@"
    echo "$((end - SECONDS)) s left after: $*" >> "$results/times.txt"
}

sweep() { # SECONDS POLICY OPTION...
    mkdir -p "$folder/scratch"
    within "$1" ./run.sh $benchmarks.SweepBenchmark --model "$model" --train "$tsv" --samples "$samples" --space "$space" \
        --memory-gib "${MEMORY_GIB:-70}" --policies "$2" --scratch "$folder/scratch" --results "$results/sweep.jsonl" "${@:3}" \
        > "$results/$2.txt" 2>&1
    rm -rf "$folder/scratch"
}

# Python's packages are read while the model is made
within 30 python3 -c 'import torch, transformers, peft' &
within 30 ./run.sh io.plora.examples.RandomModelMaker --shape Qwen2.5-0.5B --output "$model"
wait
within 50 python3 "$here/peft_sweep.py" --model "$model" --train "$tsv" --samples "$samples" --space "$space" --warm-up 2 \
    --steps 5 --seconds 38 --results "$results/peft.jsonl" > "$results/peft.txt" 2>&1
sweep 100 CONTINUOUS
[ -e "$results/dtm.jsonl" ] && sweep 120 DTM --dtm-plan "$results/dtm.jsonl"
if [ $((end - SECONDS)) -ge "${ALL_ALONE:-240}" ]; then sweep 999 MIN_GPU; else sweep 999 MIN_GPU --alone-one-of-each; fi
