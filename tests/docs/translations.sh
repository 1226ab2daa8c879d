#!/usr/bin/env bash
# Translated pages show the same examples as the English ones, block by block:
#   translations.sh [--update] ENGLISH.md TRANSLATED.md [ENGLISH.md TRANSLATED.md]...
# --update puts the English blocks (```console and ```sh) in the place of the translation's.
set -u
update=
[ "${1-}" = --update ] && { update=1; shift; }
[ $# -gt 0 ] && [ $(($# % 2)) = 0 ] || { echo "usage: translations.sh [--update] ENGLISH.md TRANSLATED.md..." >&2; exit 2; }

with_blocks_of() {  # ENGLISH TRANSLATED: the translation with the blocks of the other
  awk '
    FNR == NR { if (/^```(console|sh)$/) { ++n; on = 1 } if (on) block[n] = block[n] $0 "\n"; if (/^```$/) on = 0; next }
    /^```(console|sh)$/ { ++m; skip = 1; printf "%s", block[m] }
    skip { if (/^```$/) skip = 0; next }
    { print }
    END { if (m != n) print "this page has " m " blocks of examples, the English one has " n }
  ' "$1" "$2"
}

failed=0
while [ $# -gt 0 ]; do
  wanted=$(mktemp)
  with_blocks_of "$1" "$2" >"$wanted"
  if ! cmp -s "$wanted" "$2"; then
    if [ -n "$update" ]; then cp "$wanted" "$2"; echo "updated $2"; else diff -u "$2" "$wanted"; failed=1; fi
  fi
  rm -f "$wanted"
  shift 2
done
[ $failed = 0 ] || { echo "translations.sh: ninja update-docs, then read git diff"; exit 1; }
