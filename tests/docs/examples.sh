#!/usr/bin/env bash
# Runs the examples of Markdown pages and compares what they print:
#   examples.sh --tpsim PROGRAM --scratch FOLDER [--update] PAGE.md...
# An example is a ```console block: lines that begin with "$ " are commands, "> " goes on with the one above, the rest is
# what both outputs print. All commands of a page run in one shell, in an empty folder with a clean environment.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tpsim= scratch= update= pages=()
while [ $# -gt 0 ]; do
  case $1 in
    --tpsim) tpsim=$(realpath -m "$2"); shift ;;
    --scratch) scratch=$2; shift ;;
    --update) update=1 ;;
    *) pages+=("$1") ;;
  esac
  shift
done
[ -x "$tpsim" ] && [ -n "$scratch" ] && [ ${#pages[@]} -gt 0 ] ||
  { echo "usage: examples.sh --tpsim PROGRAM --scratch FOLDER [--update] PAGE.md..." >&2; exit 2; }

# The commands of a page as a script that leaves what each prints in OUT/N, N = 1, 2, ...
script_of() {  # PAGE OUT
  awk -v out="$2" '
    function finish() { if (open) print "\n} >" out "/" n " 2>&1; status=$?"; open = 0 }
    BEGIN { print "status=0" }
    /^```console$/ { block = 1; next }
    /^```$/ { if (block) finish(); block = 0; next }
    block && /^\$ / { finish(); ++n; open = 1; printf "(exit $status); {\n%s", substr($0, 3); next }
    block && open && /^> / { printf "\n%s", substr($0, 3) }
  ' "$1"
}

# The page with what the commands have printed.
page_with() {  # PAGE OUT
  awk -v out="$2" '
    function show() { if (!open) return; file = out "/" n; while ((getline line < file) > 0) print line; close(file); open = 0 }
    /^```console$/ { block = 1; print; next }
    /^```$/ { if (block) show(); block = 0; print; next }
    block && /^\$ / { show(); ++n; open = 1; print; next }
    block && /^> / { print; next }
    !block { print }
  ' "$1"
}

rm -rf "$scratch"
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
failed=0
for page in "${pages[@]}"; do
  name=${page//\//-}
  mkdir -p "$scratch/$name"/{out,home,bin,work}
  ln -s "$tpsim" "$scratch/$name/bin/tpsim"
  script_of "$root/$page" "$scratch/$name/out" >"$scratch/$name/script"
  (cd "$scratch/$name/work" && exec env -i PATH="$scratch/$name/bin:$PATH" HOME="$scratch/$name/home" NO_COLOR=1 COLUMNS=100 \
    LC_ALL=C.UTF-8 timeout 300 bash "$scratch/$name/script" </dev/null)
  page_with "$root/$page" "$scratch/$name/out" >"$scratch/$name/page.md"
  if cmp -s "$scratch/$name/page.md" "$root/$page"; then
    continue
  elif [ -n "$update" ]; then
    cp "$scratch/$name/page.md" "$root/$page"; echo "updated $page"
  else
    diff -u --label "$page" --label "what its commands print" "$root/$page" "$scratch/$name/page.md"; failed=1
  fi
done
[ $failed = 0 ] || { echo "examples.sh: the pages above do not show what their commands print (ninja update-docs, then read git diff)"; exit 1; }
echo "examples.sh: $(cat "${pages[@]/#/$root/}" | grep -c '^\$ ') commands on ${#pages[@]} pages"
