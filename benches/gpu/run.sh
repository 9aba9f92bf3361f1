#!/usr/bin/env bash
# Everything that is looked at on a GPU machine, in at most 8 minutes. Builds nothing: run it in the folder that build.sh left.
#
#   benches/gpu/run.sh operations   every operation, GPU against CPU
#   benches/gpu/run.sh traces       steps of pipelines, GPU against CPU; with names, of these
#   benches/gpu/run.sh rows         what takes a step's time, operation by operation
#   benches/gpu/run.sh time         steps of S and V beside PyTorch's; further arguments are those of steps.py
#   benches/gpu/run.sh many         a process on each of several GPUs beside one on one: losses, and steps. Takes a build with `nccl`, and Open MPI
#   benches/gpu/run.sh all          all of it
#
# Logs are left in the folder named by $OUT, or in /tmp/rord-gpu.
set -u
cd "$(dirname "$0")/../.."
out=${OUT:-/tmp/rord-gpu}
mkdir -p "$out"
# CUDA's libraries as PyTorch brings them, or a toolkit's.
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' 2>/dev/null)
for folder in "$packages"/nvidia/*/lib /usr/local/cuda/lib64; do
    [ -d "$folder" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
done
export LD_LIBRARY_PATH
[ -x device ] || python3 -c 'import tarfile; tarfile.open("programs.tar.xz").extractall(".")'

operations() {
    echo "== operations: largest error, relative to the largest number; GPU against CPU"
    timeout 70 ./device >"$out/operations.txt" 2>&1
    # What is wrong, with its row; the whole table is in the file.
    grep -B1 '^    ' "$out/operations.txt" | grep -v '^--' | cut -c1-150 | head -c 5000
    tail -1 "$out/operations.txt"
}

traces() {
    echo "== traces: GPU against CPU"
    local all=(trace=tests/golden/trace/trace.rord:--init:tests/golden/trace/weights.safetensors)
    all+=(S=benches/S.rord:--set:batch=4:--set:patch=64px)
    for p in default find hardnet segment; do all+=("$p=pipelines/$p.rord:--preset:smoke"); done
    for p in superpoint r2d2 aslfeat d2net sosnet keynet; do all+=("$p=pipelines/papers/$p.rord:--preset:smoke"); done
    local chosen=()
    for one in "${all[@]}"; do
        [[ $# -eq 0 || " $* " == *" ${one%%=*} "* ]] && chosen+=("$one")
    done
    timeout 150 python3 benches/gpu/trace.py ./rord-run "$(mktemp -d)" "${chosen[@]}" 2>&1 | tee "$out/traces.txt"
}

rows() {
    for network in S V; do
        for precision in f32 bf16; do
            sed "s/^  batch\$/  batch\n  precision = $precision/" "benches/$network.rord" >"$out/$network-$precision.rord"
            timeout 60 ./rord-run bench "$out/$network-$precision.rord" --device cuda --set batch=16 --warmup 5 2>&1 |
                tee "$out/rows-$network-$precision.txt" | head -32 | cut -c1-90
        done
    done
}

steps() {
    echo "== steps"
    timeout 300 python3 benches/gpu/steps.py ./rord-run "$out" "$@" 2>&1 | tee -a "$out/steps.txt"
}

many() {
    echo "== many processes"
    local gpus
    gpus=$(nvidia-smi --query-gpu=uuid --format=csv,noheader | wc -l)
    if ! grep -q libnccl rord-run; then
        echo "this build has no NCCL: FEATURES=cudnn,nccl benches/gpu/build.sh"
    elif ! command -v mpirun >/dev/null; then
        echo "there is no mpirun here: processes are not started together"
    else
        timeout 400 python3 benches/gpu/many.py ./rord-run "$(mktemp -d)" "$gpus" 2>&1 | tee "$out/many.txt"
    fi
}

if ! command -v nvidia-smi >/dev/null; then
    echo "there is no nvidia-smi here, so there is no GPU to look at"
    exit 2
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
case ${1:-all} in
operations) operations ;;
traces) traces "${@:2}" ;;
rows) rows ;;
time) steps "${@:2}" ;;
many) many ;;
all) operations && traces && rows && steps "${@:2}" && many ;;
*) echo "what is \`$1\`? One of: operations, traces, rows, time, many, all" && exit 2 ;;
esac
