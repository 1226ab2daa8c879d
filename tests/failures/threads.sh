#!/usr/bin/env bash
# Runs on threads that end early: one message, the documented exit code, no file.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for signal in INT:130:Ctrl-C TERM:143:TERM; do
  IFS=: read -r name code text <<<"$signal"
  # A shell without job control starts background commands with Ctrl-C ignored; tpsim sets its own handler.
  "$TPSIM" "${long[@]}" --tp 2 -o result.json >out 2>err & run=$!
  sleep 1.5
  kill -"$name" $run; wait $run; status=$?
  expect "SIG$name" "$code" "stopped by $text"
done

( ulimit -v 400000; timeout 60 "$TPSIM" "${long[@]}" --tp 2 -o result.json >out 2>err ); status=$?
expect "address space limit" 4 "memory"

call "${short[@]}" --set hidden_size=65536 --set intermediate_size=262144 --set num_hidden_layers=400 --tp 2 -o result.json
expect "more than the machine has" 4 "memory"

call "${short[@]}" --tp 2 --comm mpi -o result.json -m -
expect "standard input for several processes" 2 "standard input"
(PATH=$scratch; "$TPSIM" "${short[@]}" --tp 2 --comm mpi -o result.json >out 2>err </dev/null); status=$?
expect "no mpirun" 4 "MPI"

. "$root/tests/failures/checkpoint.sh"
checkpoint whole
call run -m whole --tp 2 -o other.json
[ "$status" = 0 ] || fail "whole checkpoint: exit $status: $(head -3 err)"
checkpoint short; truncate -s -4 short/model.safetensors
checkpoint garbage; head -c 3000 /dev/urandom >garbage/model.safetensors
checkpoint shape 's/"shape":\[16,32\]/"shape":[32,16]/'
checkpoint absent 's/layers.1.mlp.up_proj/layers.1.mlp.other/'
checkpoint nan; printf '\x00\x00\xc0\x7f' | dd of=nan/model.safetensors bs=1 seek=$(($(stat -c %s nan/model.safetensors) - 4)) conv=notrunc status=none
for case in short:"cut off" garbage:model.safetensors shape:"32x16" absent:"up_proj" nan:"NaN"; do
  call run -m "${case%%:*}" --tp 2 -o result.json
  expect "weights: ${case%%:*}" 3 "${case#*:}"
done
none_left "threads"
finish
