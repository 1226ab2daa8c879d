#!/usr/bin/env bash
# A real window on a virtual display, driven with a real mouse and keyboard: window.sh TPSIM_GUI_WINDOW TPSIM_GUI. Exit 77 = cannot be
# tried here. The second program draws the same window without a display and says where its controls are.
set -u
for tool in xvfb-run xauth xdotool; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
program=$(realpath "$1")
headless=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export XDG_STATE_HOME=$scratch/state XDG_CONFIG_HOME=$scratch/config
window=(-m llama-3.1-8b --tp 2 --size 1200x800 --font builtin)

# The middle of a control after some keys: place '[{"key":"Ctrl+E"}]' Export/report.json
place() {
  printf '%s' "$1" >steps.json
  "$headless" "${window[@]}" --no-state --script steps.json --dump-ui ui.json || return 1
  grep -F "\"path\":\"$2\"" ui.json | tr -d ' ' | sed -n 's/.*"rect":\[\([^]]*\)\].*/\1/p' | head -1 |
    awk -F, '{printf "%d %d", $1 + ($3 < 24 ? $3 / 2 : 12), $2 + $4 / 2}'
}
size=$(place '[]' Setup/TP/4) || exit 1
export_button=$(place '[{"key":"Ctrl+E"}]' Export/report.json) || exit 1
[ -n "$size" ] && [ -n "$export_button" ] || { echo "controls not found: \"$size\" \"$export_button\""; exit 1; }

cat >drive.sh <<DRIVE
"$program" ${window[*]} &
pid=\$!
for _ in \$(seq 100); do xdotool search --onlyvisible --name tpsim >/dev/null 2>&1 && break; sleep 0.1; done
sleep 1
saved() { sleep 0.6; cp state/tpsim/autosave.tpsim.json "\$1" 2>/dev/null; }
xdotool mousemove 600 400 sleep 0.3 click 1 sleep 0.3
xdotool mousemove $size sleep 0.4 mousedown 1 sleep 0.2 mouseup 1; saved edited.json
xdotool key ctrl+z; saved undone.json
xdotool key ctrl+y; saved redone.json
xdotool key ctrl+e sleep 0.5 mousemove $export_button sleep 0.4 mousedown 1 sleep 0.2 mouseup 1 sleep 0.5
xdotool key F12 sleep 0.6 key ctrl+q sleep 0.6
kill -0 \$pid 2>/dev/null && echo asked >asked
xdotool key ctrl+q sleep 0.5
wait \$pid
echo "exit \$?" >code
DRIVE
timeout 90 xvfb-run -a -s "-screen 0 1300x900x24" bash drive.sh
failed=0
check() { if ! eval "$1"; then echo "$2"; failed=1; fi; }
check '[ "$(cat code 2>/dev/null)" = "exit 0" ]' "the window did not close with 0"
check '[ -e asked ]' "it closed without asking about the edit"
check 'grep -q "\"tp\":4" <(tr -d " " <edited.json)' "a click on TP 4 did not reach the project"
check 'grep -q "\"tp\":2" <(tr -d " " <undone.json)' "Ctrl+Z did not undo"
check 'grep -q "\"tp\":4" <(tr -d " " <redone.json)' "Ctrl+Y did not redo"
check 'grep -q "tpsim.report" report.json' "the report was not exported"
check '[ -s tpsim.png ]' "F12 wrote no picture"
exit $failed
