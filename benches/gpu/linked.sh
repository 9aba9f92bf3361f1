#!/usr/bin/env bash
# Compiles and links all that rord has for GPUs (cuDNN, NCCL, MPI) on a machine without any, and looks at what can be looked at there: that the
# program starts, says in one report that there is no GPU, by itself and as two processes, and that NVIDIA's NCCL has what it calls.
#
#   benches/gpu/linked.sh       # needs libopenmpi-dev, openmpi-bin and libclang-dev
#
# The exit code is 0 where all of it held. Where there is a GPU, use run.sh instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
export FEATURES=cudnn,nccl CARRY=no
benches/gpu/build.sh
work=$PWD/target/gpu
"$work/venv/bin/pip" install --quiet nvidia-nccl-cu13
nccl=$(echo "$work"/venv/lib/python3*/site-packages/nvidia/nccl/lib)
failed=0
check() { if eval "$2"; then echo "ok: $1"; else echo "FAILED: $1"; failed=1; fi; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
out=$dir/run
file=$PWD/pipelines/default.rord

check "it starts" '"$work/rord-run" --version'
check "it checks" '"$work/rord-run" check "$file"'

# What it calls of NCCL, by its object files, and what the library has. The names are in the program because the library is opened at run time.
for library in "$nccl"/libnccl.so.2; do
    nm -D --defined-only "$library" | sed -n 's/.* [TW] \(nccl[A-Za-z]*\)$/\1/p' | sort >"$dir/there"
done
grep -oE 'sys::nccl[A-Z][A-Za-z]*\(' src/device/nccl.rs | sed 's/sys:://; s/(//' | sort -u >"$dir/called"
check "NCCL has all $(wc -l <"$dir/called") functions that are called" '[ -s "$dir/called" ] && [ -z "$(comm -23 "$dir/called" "$dir/there")" ]'
LD_LIBRARY_PATH=$nccl "$work/device" >"$dir/device" || true
check "NCCL is opened and answers" 'grep -E "^NCCL [0-9.]+ is there, and meets at" "$dir/device"'
"$work/device" >"$dir/without" || true
check "and is told to be missing where it is not there" 'grep "^NCCL is not found" "$dir/without"'

if command -v nvidia-smi >/dev/null; then
    echo "there is a GPU here: what is said where there is none was not looked at"
    exit $failed
fi
report() { grep -c 'R0912' "$1" || true; }
"$work/rord-run" "$file" --preset smoke --device cuda --out "$out" >"$dir/one" 2>&1 && failed=1
check "without a GPU it says so" '[ "$(report "$dir/one")" = 1 ] && grep "there is no NVIDIA GPU here" "$dir/one"'
many=(timeout 60 mpirun --allow-run-as-root --oversubscribe --bind-to none -n 2)
"${many[@]}" "$work/rord-run" "$file" --preset smoke --device cuda --out "$out" >"$dir/two" 2>&1 && failed=1
check "two processes say it once" '[ "$(report "$dir/two")" = 1 ] && grep "there is no NVIDIA GPU here" "$dir/two" && [ ! -e "$out" ]'
"${many[@]}" "$work/rord-run" "$file" --preset smoke --threads 1 --out "$out" >"$dir/two" 2>&1 || failed=1
check "and train on their CPUs" 'grep "processes: 2" "$out/run.yaml"'
exit $failed
