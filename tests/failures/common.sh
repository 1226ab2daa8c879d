# Sourced by the scripts beside it: what they share.
: "${TPSIM:?path of the program}"
TPSIM=$(realpath "$TPSIM")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
config=$root/tests/fixtures/run/config.json
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2
failures=0

# Seconds of work on any machine: what is done to a rank happens in the middle of it.
long=(run -m "$config" --set hidden_size=1024 --set num_attention_heads=8 --set num_key_value_heads=4 --set head_dim=128
      --set intermediate_size=4096 --set num_hidden_layers=8 --set max_position_embeddings=8192 --prompt 4096 -b 1 --dtype fp32)
short=(run -m "$config" --dtype fp32)

fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

# expect NAME EXIT TEXT: the last command left its exit code in `status`, its words in err; TEXT "" = nothing is said.
expect() {
  [ "$status" = "$2" ] || fail "$1: exit $status, expected $2: $(head -5 err)"
  if [ -n "$3" ]; then grep -q -- "$3" err || fail "$1: not said: $3 (said: $(head -5 err))"; fi
  [ -z "$3" ] || [ "$(grep -c '^error' err)" = 1 ] || fail "$1: more than one message: $(cat err)"
  [ ! -e result.json ] || fail "$1: left a file"
}

call() { timeout 60 "$TPSIM" "$@" >out 2>err </dev/null; status=$?; }

# Processes of this test's runs: they have its scratch folder as working folder.
ours() {
  local process
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/exe" 2>/dev/null)" = "$TPSIM" ] && [ "$(readlink "$process/cwd" 2>/dev/null)" = "$scratch" ] &&
      echo "${process#/proc/}"
  done
}
none_left() {
  local tries
  for tries in $(seq 50); do [ -z "$(ours)" ] && return; sleep 0.1; done
  fail "$1: processes are left: $(ours)"
}
finish() { [ $failures = 0 ] && echo "all as specified"; exit $((failures > 0)); }
