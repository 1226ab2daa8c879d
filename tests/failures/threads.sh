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
none_left "threads"
finish
