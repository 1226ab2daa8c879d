#!/usr/bin/env bash
# Runs the stored command lines and compares what they print:
#   run.sh --tpsim PROGRAM --scratch FOLDER [--update] [NAME...]
# cases/NAME/cmd     the arguments after `tpsim`; or, if it mentions $TPSIM, a shell script
# cases/NAME/stdout, stderr, exit     what is expected; no file = nothing printed, exit 0
# cases/NAME/stdin   optional; other files are inputs
# A case runs in a copy of its folder, below the same names as in the source tree (../../fixtures/x.json works), with a clean environment.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tpsim= scratch= update= names=()
while [ $# -gt 0 ]; do
  case $1 in
    --tpsim) tpsim=$(realpath -m "$2"); shift ;;
    --scratch) scratch=$2; shift ;;
    --update) update=1 ;;
    *) names+=("$1") ;;
  esac
  shift
done
[ -z "$tpsim" ] || [ -x "$tpsim" ] || { echo "run.sh: no program $tpsim: build it first" >&2; exit 2; }
[ -n "$tpsim" ] && [ -n "$scratch" ] || { echo "usage: run.sh --tpsim PROGRAM --scratch FOLDER [--update] [NAME...]" >&2; exit 2; }

rm -rf "$scratch"
mkdir -p "$scratch/tests/golden" "$scratch/out" "$scratch/home"
scratch=$(cd "$scratch" && pwd)
ln -s "$root"/{core,sim,plans,docs} "$scratch/"
for folder in "$root"/tests/*/; do [ "$folder" = "$here/" ] || ln -s "${folder%/}" "$scratch/tests/"; done
for folder in "$here"/*/; do [ "$folder" = "$here/cases/" ] || ln -s "${folder%/}" "$scratch/tests/golden/"; done
cp -r "$here/cases" "$scratch/tests/golden/cases"
[ ${#names[@]} -gt 0 ] || for folder in "$here"/cases/*/cmd; do [ -e "$folder" ] && names+=("$(basename "$(dirname "$folder")")"); done

run_case() {  # NAME: leaves out/NAME.{stdout,stderr,exit}
  local folder=$scratch/tests/golden/cases/$1 out=$scratch/out/$1 input=/dev/null cmd
  cmd=$(<"$folder/cmd")
  [[ $cmd == *'$TPSIM'* ]] || cmd="\"\$TPSIM\" $cmd"
  [ -e "$folder/stdin" ] && input=$folder/stdin
  rm -f "$folder"/{stdout,stderr,exit}
  (cd "$folder" && exec env -i PATH="$PATH" HOME="$scratch/home" NO_COLOR=1 COLUMNS=100 LC_ALL=C.UTF-8 TPSIM="$tpsim" \
    timeout 60 sh -c "$cmd") <"$input" >"$out.stdout" 2>"$out.stderr"
  echo $? >"$out.exit"
}

update_case() {
  local part
  for part in stdout stderr exit; do
    if [ -s "$scratch/out/$1.$part" ] && ! [[ $part == exit && $(<"$scratch/out/$1.exit") == 0 ]]; then
      cmp -s "$scratch/out/$1.$part" "$here/cases/$1/$part" || { cp "$scratch/out/$1.$part" "$here/cases/$1/$part"; echo "updated $1/$part"; }
    elif [ -e "$here/cases/$1/$part" ]; then
      rm "$here/cases/$1/$part"; echo "removed $1/$part"
    fi
  done
}

check_case() {
  local part expected status=0
  for part in stdout stderr exit; do
    expected=$here/cases/$1/$part
    if [ ! -e "$expected" ]; then
      expected=$scratch/empty
      [ $part = exit ] && expected=$scratch/zero
    fi
    cmp -s "$expected" "$scratch/out/$1.$part" && continue
    [ $status = 0 ] && printf 'FAILED %s: tpsim %s\n' "$1" "$(<"$here/cases/$1/cmd")"
    diff -u --label "expected $1/$part" --label "actual $1/$part" "$expected" "$scratch/out/$1.$part"
    status=1
  done
  return $status
}

: >"$scratch/empty"; echo 0 >"$scratch/zero"
failed=0 workers=$(nproc)
for name in "${names[@]}"; do
  [ -e "$here/cases/$name/cmd" ] || { echo "FAILED $name: no cases/$name/cmd"; exit 1; }
done
for ((worker = 0; worker < workers; worker++)); do
  for ((i = worker; i < ${#names[@]}; i += workers)); do run_case "${names[i]}"; done &
done
wait
for name in "${names[@]}"; do
  if [ -n "$update" ]; then update_case "$name"; else check_case "$name" || failed=$((failed + 1)); fi
done
[ -n "$update" ] && exit 0
echo "golden: ${#names[@]} cases, $failed failed"
if [ $failed -gt 0 ]; then
  echo "if the new output is right: cmake --build BUILD --target update-golden, then read the difference"
  exit 1
fi
