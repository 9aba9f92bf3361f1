#!/usr/bin/env bash
# Runs ranks in network namespaces of one machine, with so much bandwidth and delay between them, and prints what a step takes.
#
#     benches/ranks/network.sh FILE RANKS BANDWIDTH DELAY [arguments of rord-run]     # as root
#     RORD=target/release/rord-run benches/ranks/network.sh benches/S.rord 2 100mbit 1000us --set steps=10 --set epochs=2
#
# BANDWIDTH is that of a rank's link in each direction, as `tc` writes it, or `none`; DELAY is from one rank to another, in microseconds. Each rank has
# one thread. It takes root, iproute2 with `tc`, a kernel with network namespaces, /dev/net/tun and sch_tbf, Python 3, Open MPI, and a
# build with `--features mpi`. What it makes are namespaces of its own, whose links go with them; nothing outside them is changed.
set -euo pipefail
die() { echo "network.sh: $*" >&2; exit 1; }
[ $# -ge 4 ] || die "expected FILE RANKS BANDWIDTH DELAY [arguments of rord-run]"
file=$(realpath "$1") ranks=$2 bandwidth=$3 delay=${4%us}
shift 4
here=$(cd "$(dirname "$0")" && pwd)
RORD=$(realpath "${RORD:-$here/../../target/release/rord-run}")
[ "$(id -u)" = 0 ] || die "only root may make network namespaces: start it with sudo"
for tool in ip tc python3 mpirun unshare; do
  command -v $tool > /dev/null || die "there is no $tool (Debian: apt install iproute2 python3 openmpi-bin util-linux)"
done
[ -x "$RORD" ] || die "there is no program $RORD: cargo build --release --features mpi, or set RORD"
[ -c /dev/net/tun ] || die "this system has no /dev/net/tun"
[[ $ranks =~ ^[0-9]+$ && $ranks -ge 1 && $ranks -le 64 ]] || die "RANKS is 1 to 64, found $ranks"
[[ $delay =~ ^[0-9]+$ ]] || die "DELAY is in microseconds, found $delay"
case $bandwidth in
  none) bits=0 ;;
  *kbit) bits=${bandwidth%kbit}000 ;;
  *mbit) bits=${bandwidth%mbit}000000 ;;
  *gbit) bits=${bandwidth%gbit}000000000 ;;
  *) die "BANDWIDTH is none, or a number with kbit, mbit or gbit; found $bandwidth" ;;
esac
[[ $bits =~ ^[0-9]+$ ]] || die "BANDWIDTH is a whole number of kbit, mbit or gbit; found $bandwidth"

dir=$(mktemp -d) name=rord$$ relay=
end() {
  # The relay ends with its input, too, where this script is killed.
  exec {hold}>&- 2> /dev/null || true
  [ -z "$relay" ] || { kill "$relay" 2> /dev/null || true; wait "$relay" 2> /dev/null || true; }
  for space in "${made[@]:-}"; do [ -z "$space" ] || ip netns del "$space" 2> /dev/null || true; done
  rm -rf "$dir"
}
made=() hold=9
trap end EXIT
trap 'exit 130' INT TERM
mtu=9000
hosts=
for k in $(seq $((ranks + 1))); do
  # The last is the launcher's.
  space=$name-$k
  ip netns add "$space" || die "the kernel makes no network namespaces"
  made+=("$space")
  ip -n "$space" tuntap add dev rord0 mode tun || die "the kernel makes no tun devices"
  ip -n "$space" link set rord0 mtu $mtu
  ip -n "$space" addr add "10.77.0.$k/24" dev rord0
  ip -n "$space" link set lo up
  ip -n "$space" link set rord0 up
  if [ $bits != 0 ] && [ "$k" -le "$ranks" ]; then
    ip netns exec "$space" tc qdisc add dev rord0 root tbf rate "$bandwidth" burst $((2 * mtu)) limit 64000000 ||
      die "tc cannot limit: the kernel lacks sch_tbf"
  fi
  [ "$k" -gt "$ranks" ] || hosts="$hosts,10.77.0.$k:1"
done
mkfifo "$dir/input"
python3 "$here/relay.py" "$delay" "$bits" "${made[@]}" < "$dir/input" > "$dir/relay.log" 2>&1 &
relay=$!
exec {hold}> "$dir/input"
for _ in $(seq 100); do grep -q ready "$dir/relay.log" && break; sleep 0.05; done
grep -q ready "$dir/relay.log" || die "the relay does not begin: $(tail -1 "$dir/relay.log")"

# What mpirun takes for a remote shell: the namespace of that address, with a host name of its own.
cat > "$dir/agent" <<A
#!/usr/bin/env bash
host=\$1
shift
exec ip netns exec "$name-\${host##*.}" unshare -u bash -c "hostname rord\${host##*.}; \$*"
A
chmod +x "$dir/agent"
cd "$dir"
timeout "${LIMIT:-500}" ip netns exec "$name-$((ranks + 1))" mpirun --allow-run-as-root --oversubscribe --bind-to none \
  --host "${hosts#,}" -n "$ranks" --mca plm rsh --mca plm_rsh_agent "$dir/agent" --mca pml ob1 --mca btl tcp,self \
  --mca btl_tcp_if_include rord0 --mca oob_tcp_if_include rord0 \
  "$RORD" "$file" --threads 1 --quiet --out "$dir/run" "$@" > "$dir/log" 2>&1 < /dev/null || {
  tail -20 "$dir/log" >&2
  die "the run has ended with an error"
}
[ -f "$dir/run/run.yaml" ] || die "the run left no record"
echo "$(basename "$file"), $ranks ranks, $bandwidth, $delay us"
sed -n '/^exchange:/,/^[a-z]*:$/p; /pace_ms/p; /^  ms:/p; /backward_ms/p' "$dir/run/run.yaml" | grep -E "^  [a-z_]+:|mb:|left_ms" || true
[ -z "${KEEP:-}" ] || cp "$dir/run/run.yaml" "$KEEP"
