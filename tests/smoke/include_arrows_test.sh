#!/usr/bin/env bash
# include_arrows.sh finds each kind of wrong include, and nothing in a right file.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{core,sim,exec,gui/model,traces,cli,tests}
file() { printf '%s\n' "${@:2}" >"$tree/$1"; }

file core/right.cpp '#include "core/shape.h"' '#include <vector>' '#include <sys/mman.h>' '#include <nlohmann/json.hpp>' '#include <boost/graph/adjacency_list.hpp>'
file sim/right.cpp '#include "core/shape.h"' '#include "sim/predict.h"' '#include <Eigen/Dense>'
file exec/right.cpp '#include "core/shape.h"' '#include <mpi.h>' '#include <cuda_runtime.h>' '#include <nccl.h>'
file cli/right.cpp '#include "sim/predict.h"' '#include "exec/run.h"' '#include <nlohmann/json.hpp>'
file tests/right.cpp '#include "tests/catch.hpp"' '#include "cli/flags.h"'
"$BASH" "$here/include_arrows.sh" "$tree" || { echo "right files were refused"; exit 1; }

status=0
refuse() {  # FILE LINE
  file "$1" "$2"
  "$BASH" "$here/include_arrows.sh" "$tree" >/dev/null && { echo "not found: $1: $2"; status=1; }
  rm "$tree/$1"
}
refuse core/a.h '#include "sim/predict.h"'
refuse core/a.h '#include <nlohmann/json.hpp>'
refuse core/a.h '# include <boost/graph/adjacency_list.hpp>'
refuse core/a.h '#include <unistd.h>'
refuse core/a.cpp '#include <Eigen/Dense>'
refuse core/a.cpp '#include "json_helpers.h"'
refuse sim/a.cpp '#include "exec/run.h"'
refuse exec/a.cpp '#include "sim/predict.h"'
refuse exec/a.h '#include <mpi.h>'
refuse exec/a.h '#include <cuda_runtime.h>'
refuse exec/a.h '#include <nccl.h>'
refuse gui/model/a.cpp '#include <imgui.h>'
refuse gui/model/a.cpp '#include "exec/run.h"'
refuse traces/a.cpp '#include "sim/predict.h"'
refuse cli/a.cpp '#include "tests/catch.hpp"'
refuse cli/a.h '#include <nlohmann/json.hpp>'
refuse tests/a.cpp '#include <catch2/catch.hpp>'
exit $status
