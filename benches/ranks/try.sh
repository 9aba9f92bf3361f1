#!/usr/bin/env bash
# Many processes on Open MPI: two and three train as one does, a killed one ends the others with a report, any number goes on, a signal saves, and
# what is not finite in one of them is reported as by one process.
#
#     benches/ranks/try.sh                 # builds with --features mpi; needs libopenmpi-dev, openmpi-bin, libclang-dev and Python 3
#     RORD=target/release/rord-run benches/ranks/try.sh
#
# The exit code is 0 where all of it held.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
if [ -z "${RORD:-}" ]; then
  cargo build --release --features mpi
  RORD=target/release/rord-run
fi
RORD=$(realpath "$RORD")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
# Root and more processes than cores are for tests alone.
mpi=(mpirun --allow-run-as-root --oversubscribe --bind-to none)
many() { local n=$1; shift; timeout 300 "${mpi[@]}" -n "$n" "$RORD" "$@"; }
failed=0
check() { if eval "$2"; then echo "ok: $1"; else echo "FAILED: $1"; failed=1; fi; }
# What a child of mpirun is: the process of the rank with this number.
rank() { for p in $(pgrep -P "$1"); do tr '\0' '\n' < "/proc/$p/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2" && echo "$p"; done; }
# Waits until a file has come to be there, for a minute at most.
there() { for _ in $(seq 600); do [ -e "$1" ] && return; sleep 0.1; done; }

compare() { python3 - "$@" <<'P'
import json, sys
one, two, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
read = lambda run: [json.loads(l) for l in open(run + "/metrics.jsonl")]
steps = lambda run: [l for l in read(run) if l.get("split") == "train"][:4]
losses = lambda step: [k for k in step if isinstance(step[k], float) and k not in ("grad_norm", "lr")]
off = max(abs(a[k] - b[k]) / max(1, abs(a[k])) for a, b in zip(steps(one), steps(two)) for k in losses(a))
print(f"   {one} and {two}: losses of four steps are apart by {off:.1e}")
sys.exit(off > limit)
P
}

# 1. The same losses: with batch norm, draws, means of the whole batch, a weight of losses that is learned; then with negatives out of the batch.
for text in dense embedded; do
  # Distances of vectors that are nearly equal are roots of rounding.
  limit=$([ $text = dense ] && echo 1e-6 || echo 5e-6)
  file="$root/benches/ranks/$text.rord"
  "$RORD" "$file" --threads 1 --quiet --out "$text" > /dev/null 2>&1
  for n in 2 3; do
    many $n "$file" --threads 1 --quiet --out "$text$n" > /dev/null 2>&1
    check "$text: $n processes train as one" "compare $text $text$n $limit"
  done
  # The same twice: nothing depends on timing.
  many 3 "$file" --threads 1 --quiet --out "${text}again" > /dev/null 2>&1
  check "$text: and twice the same bytes" "cmp ${text}3/last.safetensors ${text}again/last.safetensors && cmp ${text}3/metrics.jsonl ${text}again/metrics.jsonl"
done

# 2. A process that is killed, first or last.
for victim in 1 0; do
  run="killed$victim"
  "${mpi[@]}" -n 3 "$RORD" "$root/pipelines/default.rord" --preset smoke --set batch=4 --set epochs=500 --threads 1 --out "$run" > "$run.log" 2>&1 &
  launcher=$!
  there "$run/state.safetensors"
  sleep 1
  begun=$(date +%s%N)
  kill -9 "$(rank "$launcher" "$victim")"
  wait $launcher || true
  took=$(( ($(date +%s%N) - begun) / 1000000 ))
  echo "   all ended after $took ms"
  check "killing process $victim ends all within five seconds" "[ $took -lt 5000 ]"
  check "one report says so, and how to go on" "[ \$(grep -c R0938 $run.log) = 1 ] && grep -q 'process $victim is gone' $run.log && grep -q 'rord-run resume $run' $run.log"
done

# 3. Others go on, and a signal to the launcher stops all after one step, saved.
"${mpi[@]}" -n 2 "$RORD" resume killed1 --threads 1 > resumed.log 2>&1 &
launcher=$!
sleep 6
kill -INT $launcher
wait $launcher || true
check "two go on where three were" "grep -q 'goes on after step' resumed.log"
check "Ctrl-C stops and saves" "grep -q 'status: interrupted' killed1/run.yaml && grep -q 'rord-run resume killed1' resumed.log"
"$RORD" resume killed1 --threads 1 --quiet > alone.log 2>&1 &
alone=$!
sleep 4
kill -INT $alone
wait $alone || true
check "and one by itself after that" "grep -q 'status: interrupted' killed1/run.yaml && ! grep -q processes killed1/run.yaml"

# 4. What one process cannot do ends all, with its report once.
mkdir other
cp "$root/pipelines/default.rord" .
timeout 60 mpirun --allow-run-as-root --oversubscribe -n 1 "$RORD" default.rord --preset smoke --out x : -n 1 -wdir "$dir/other" "$RORD" default.rord --preset smoke --out x > other.log 2>&1 || true
check "a file that one of them lacks is reported once" "[ \$(grep -c R0817 other.log) = 1 ] && [ \$(grep -c R0938 other.log) = 1 ]"
many 3 default.rord --preset smoke --out y > more.log 2>&1 || true
check "more processes than samples are refused once" "[ \$(grep -c R0937 more.log) = 1 ] && [ ! -e y ]"

# 5. A number that is not finite among the samples of one process ends all, with the report of one process.
python3 - <<'P'
import json, struct
# The eleventh of twelve pictures is empty: the third sample of the third batch.
numbers = [0.0 if at // 64 == 10 else (at * 7919 % 1000) / 1000 for at in range(12 * 64)]
head = json.dumps({"image": {"dtype": "F32", "shape": [12, 1, 8, 8], "data_offsets": [0, 4 * len(numbers)]}}).encode()
open("odd.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + struct.pack(f"<{len(numbers)}f", *numbers))
P
for loss in "square(code) / global_pool(image)" "exp(0 - 1 / (global_pool(image) * square(code)))"; do
  cat > odd.rord <<R
rord 1
pipeline "odd"
data pairs = tensors("odd.safetensors", shuffle = false, train = 1.0) -> { image: Image[B, 1, H, W]@orig }
model net(x: Image[B, 1, H, W]@f) {
  out code: Vectors[B, 1] = x |> conv(4, 3) |> relu |> global_pool |> linear(1)
}
let { image }  = pairs
let code       = net(image).code
minimize total = mean($loss)
train { optimizer = sgd(lr = 0.01), batch = 4, epochs = 2 }
save  { last = true }
R
  rm -rf odd
  "$RORD" odd.rord --threads 1 --quiet --out odd > odd.one 2>&1 && failed=1
  for n in 2 3; do
    rm -rf odd
    many $n odd.rord --threads 1 --quiet --out odd > odd.log 2>&1 && failed=1
    # What mpirun adds comes after the report.
    check "mean of $n processes is not finite as that of one" \
      "cmp -n \$(stat -c %s odd.one) odd.one odd.log && [ \$(grep -c '^R09' odd.log) = 1 ] && [ -e odd/nan-2-batch.safetensors ]"
  done
done
exit $failed
