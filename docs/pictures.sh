#!/usr/bin/env bash
# Draws the pictures of docs/pictures anew: docs/pictures.sh TPSIM_GUI
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/pictures"
shot() {
  name=$1
  shift
  "$program" -m meta-llama/Llama-3.1-70B --tp 4 --no-state --snapshot "$name.png" "$@"
}
shot window --select gate_proj --size 1600x900
shot window-light --theme light --workspace sweep --size 1600x900
for panel in setup modules inspector keys; do shot "$panel" --panel "$panel" --select k_proj --size 560x640; done
for panel in graph shards plan_text what_if problems memory communication timeline roofline speed_up export hardware config log; do
  shot "$panel" --panel "$panel" --select k_proj --size 1000x560
done
"$program" -m meta-llama/Llama-3.1-70B --tp 16 --no-state --snapshot problems.png --panel problems --size 1000x560
"$program" -m Qwen/Qwen3-30B-A3B --tp 4 --no-state --snapshot shards-experts.png --panel shards --select experts --size 1000x560
shot window-2x --select gate_proj --size 1600x900 --font-scale 2
run=$(realpath ../../tests/fixtures/run)
(cd "$run" && "$program" -m config.json --tp 2 --hw generic-cpu --no-state tp2.json --panel validation --size 1100x760 --snapshot "$OLDPWD/validation.png")
cat >steps.json <<'STEPS'
[{"click": "Compare/tp8"}]
STEPS
shot compare --panel compare --size 1000x560 --script steps.json
rm steps.json
