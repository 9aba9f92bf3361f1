#!/usr/bin/env bash
# Builds rord with CUDA on a machine that has neither a GPU nor CUDA, and leaves in target/gpu/carry what a GPU machine needs.
#
#   benches/gpu/build.sh [FOLDER]
#   FEATURES=cudnn,nccl benches/gpu/build.sh     # for several GPUs, with MPI: needs libopenmpi-dev and libclang-dev here, Open MPI there
#
# NVIDIA's compiler, headers and run-time compiler come from PyPI into a Python environment of their own (about 3 GB on disk). FOLDER, by
# default target/gpu/carry, then holds `rord-run`, the operations' check, pipelines and `run.sh`; run that on the GPU machine. With CARRY=no
# only the programs are made: target/gpu/rord-run and target/gpu/device.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$root/target/gpu
carry=${1:-$work/carry}
features=${FEATURES:-cudnn}
venv=$work/venv
toolkit=$work/cuda

if [ ! -x "$venv/bin/pip" ]; then
    python3 -m venv "$venv"
fi
if [ ! -e "$work/.packages" ]; then
    "$venv/bin/pip" install --quiet 'nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-crt==13.0.*' 'nvidia-cuda-runtime==13.0.*' \
        'nvidia-cuda-nvrtc==13.0.*' 'nvidia-cuda-cccl==13.0.*' 'nvidia-nvvm==13.0.*' 'nvidia-cublas==13.0.*' nvidia-curand
    touch "$work/.packages"
fi
packages=$(echo "$venv"/lib/python3*/site-packages/nvidia/cu13)

# A toolkit's folder, in which every library is an archive: those of lazy.py, and CUDA's own for its runtime.
mkdir -p "$toolkit/lib64"
for part in bin include nvvm; do
    ln -sfn "$packages/$part" "$toolkit/$part"
done
ln -sfn "$packages/lib/libcudart_static.a" "$toolkit/lib64/libcudart.a"
cp "$packages/lib/libcudadevrt.a" "$toolkit/lib64/"

export CUDA_HOME=$toolkit CUDA_PATH=$toolkit PATH=$toolkit/bin:$PATH
export CUDARC_CUDA_VERSION=13000 CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90}
export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$work
unset CUDA_ROOT CUDA_TOOLKIT_ROOT_DIR CUDNN_LIB

cargo fetch --quiet
cudarc=$(cargo metadata --format-version 1 --features "$features" |
    python3 -c 'import json, sys, os; print(next(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
python3 benches/gpu/lazy.py "$cudarc" "$toolkit/lib64"

cargo build --release -j2 --features "$features" --bin rord-run
check=$(cargo test --release -j2 --features "$features" --test device --no-run --message-format=json |
    python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable") and m["target"]["name"] == "device"][-1])')
cp "$work/release/rord-run" "$work/rord-run"
cp "$check" "$work/device"
[ "${CARRY:-yes}" = yes ] || exit 0

# What travels: the programs, what they read, and the scripts.
rm -rf "$carry"
mkdir -p "$carry"/{benches,tests/golden}
strip "$work/rord-run" "$work/device"
# One archive of both: they have the same kernels in them.
tar -C "$work" -c rord-run device | xz -T2 -6 --lzma2=dict=256MiB >"$carry/programs.tar.xz"
cp -r pipelines "$carry/"
cp -r benches/{S.rord,V.rord,pytorch,gpu} "$carry/benches/"
mkdir -p "$carry/benches/ranks"
cp benches/ranks/*.rord "$carry/benches/ranks/"
cp -r tests/golden/trace "$carry/tests/golden/"
du -sh "$carry"
