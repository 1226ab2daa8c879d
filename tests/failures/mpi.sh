#!/usr/bin/env bash
# Ranks as MPI processes: the bits of threads; and one message, the documented exit code, no process and no file where a rank is lost.
set -u
skip() { echo "SKIPPED: $*"; exit 77; }
[ -e "$(dirname "$TPSIM")/libtpsim_mpi.so" ] || skip "this build has no MPI"
command -v mpirun >/dev/null || skip "there is no mpirun"
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

# same NAME ARGUMENTS: the document of threads, byte by byte
same() {
  local name=$1; shift
  call "$@" --json --detail layers; grep -v '"comm"' out >threads; local expected=$status
  call "$@" --json --detail layers --comm mpi; grep -v '"comm"' out >processes
  [ "$status" = "$expected" ] || fail "$name: exit $status, on threads $expected: $(head -5 err)"
  cmp -s threads processes || fail "$name: another document than on threads"
}
same "two ranks" "${short[@]}" --tp 2 --gen 3
same "a plan that raises" "${short[@]}" --tp 4
same "four ranks" "${short[@]}" --tp 4 --set num_key_value_heads=4 --set hidden_size=96 --set head_dim=24 --prompt 40
same "an input that is missing" "${short[@]}" --tp 2 --input nothing.safetensors

mpirun -n 2 "$TPSIM" "${short[@]}" >out 2>err; status=$?
expect "mpirun tpsim" 0 ""
[ "$(grep -c '^ logits' out)" = 1 ] || fail "mpirun tpsim: printed $(grep -c '^ logits' out) times"
mpirun -n 2 "$TPSIM" "${short[@]}" --tp 4 --set num_key_value_heads=4 >out 2>err; status=$?
expect "other number of processes" 2 "needs 4 ranks, and 2 processes"
call "${short[@]}" --comm mpi -n 2 --tp 4 -o result.json
expect "-n against --tp" 2 "not for 2 ranks"

. "$root/tests/failures/checkpoint.sh"
checkpoint nan; printf '\x00\x00\xc0\x7f' | dd of=nan/model.safetensors bs=1 seek=$(($(stat -c %s nan/model.safetensors) - 4)) conv=notrunc status=none
call run -m nan --tp 2 --comm mpi -o result.json
expect "a weight that is NaN" 3 "NaN"
none_left "NaN"

rank_process() {  # RANK: of three; waits until all run
  local tries process
  for tries in $(seq 100); do [ "$(ours | wc -l)" -ge 4 ] && break; sleep 0.1; done
  sleep 1
  for process in $(ours); do
    tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$process"
  done
}
for case in KILL:0 KILL:2 STOP:0 STOP:2; do
  signal=${case%:*} rank=${case#*:}
  "$TPSIM" "${long[@]}" --tp 3 --set num_attention_heads=6 --set num_key_value_heads=3 --set intermediate_size=3072 \
    --comm mpi -o result.json >out 2>err & run=$!
  kill -"$signal" "$(rank_process "$rank")"; wait $run; status=$?
  expect "$case" 4 "rank $rank"
  none_left "$case"
done
for signal in INT:130 TERM:143; do
  "$TPSIM" "${long[@]}" --tp 2 --comm mpi -o result.json >out 2>err & run=$!
  for tries in $(seq 100); do [ "$(ours | wc -l)" -ge 3 ] && break; sleep 0.1; done
  kill -"${signal%:*}" $run; wait $run; status=$?
  expect "$signal" "${signal#*:}" "stopped by"
  none_left "$signal"
done
finish
