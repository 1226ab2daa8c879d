#!/usr/bin/env bash
# A real window on a virtual display, driven with a real mouse and keyboard: window.sh TPSIM_GUI. Exit 77 = cannot be tried here.
set -u
for tool in xvfb-run xauth xdotool; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export XDG_STATE_HOME=$scratch/state
cat >drive.sh <<'DRIVE'
"$1" -m llama-3.1-8b --tp 2 --size 1200x800 --font builtin &
pid=$!
for _ in $(seq 100); do xdotool search --onlyvisible --name tpsim >/dev/null 2>&1 && break; sleep 0.1; done
sleep 1
xdotool mousemove 600 400 sleep 0.3 click 1 sleep 0.3 key ctrl+2 sleep 0.5 key F12 sleep 0.5 key x sleep 0.5 key ctrl+q
wait $pid
echo "exit $?" >code
DRIVE
timeout 60 xvfb-run -a -s "-screen 0 1300x900x24" bash drive.sh "$program"
[ "$(cat code 2>/dev/null)" = "exit 0" ] || { echo "the window did not close with 0"; exit 1; }
[ -s tpsim.png ] || { echo "F12 wrote no picture"; exit 1; }
grep -q '"model": "llama-3.1-8b"' state/tpsim/autosave.tpsim.json || { echo "the project was not saved"; exit 1; }
