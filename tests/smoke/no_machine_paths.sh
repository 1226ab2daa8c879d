#!/usr/bin/env bash
# No file of the tree names a path of the machine it was written on: no_machine_paths.sh ROOT
cd "$1" || exit 2
if grep -rnIE '(^|[^A-Za-z0-9_.-])/(work|home|root|Users|mnt)/' --include='*' --exclude-dir=build --exclude-dir=.git --exclude=no_machine_paths.sh --exclude=.git .; then
  echo "these lines name a path of one machine"
  exit 1
fi
