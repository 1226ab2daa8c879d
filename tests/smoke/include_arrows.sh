#!/usr/bin/env bash
# Which folder may include what (docs/README.md has the picture): include_arrows.sh ROOT. Prints every include that points the wrong way.
cd "$1" || exit 2
find core sim exec gui cli traces tests -type f \( -name '*.h' -o -name '*.hpp' -o -name '*.cpp' -o -name '*.cu' \) 2>/dev/null | sort |
xargs -r awk '
  BEGIN {
    own["core"] = "core";                own["sim"] = "core sim";        own["exec"] = "core exec";
    own["traces"] = "core traces";       own["gui/model"] = "core sim cli gui/model";
    own["gui/view"] = "core sim cli gui/model gui/view";
    own["gui/main.cpp"] = "gui/view";   own["gui/window"] = "core cli gui/model gui/view";
    own["cli"] = "core sim exec traces cli";
    own["tests"] = "core sim exec traces gui/model gui/view cli tests";
    # Libraries: in sources, and in headers.
    source["core"] = "nlohmann boost";   source["sim"] = "Eigen";        source["exec"] = "Eigen mpi cuda nccl";
    source["traces"] = "nlohmann";       source["gui/view"] = "imgui stb";     source["gui/window"] = "imgui GLFW GL";
    source["cli"] = "nlohmann";          source["tests"] = "nlohmann boost Eigen mpi cuda nccl imgui";
    header["exec"] = "Eigen";            header["gui/view"] = "imgui";
  }
  function room(path) { return match(path, /^gui\/[^\/]+/) ? substr(path, 1, RLENGTH) : (match(path, /^[^\/]+/) ? substr(path, 1, RLENGTH) : path) }
  function library(name) {
    if (name ~ /^nlohmann\//) return "nlohmann"
    if (name ~ /^boost\//) return "boost"
    if (name ~ /^(unsupported\/)?Eigen\//) return "Eigen"
    if (name ~ /^mpi\.h/) return "mpi"
    if (name ~ /^nccl/) return "nccl"
    if (name ~ /^(cuda|cublas|nvtx|nvml|device_launch|vector_types|driver_types)/) return "cuda"
    if (name ~ /imgui/) return "imgui"
    if (name ~ /^stb_/) return "stb"
    if (name ~ /^GLFW\//) return "GLFW"
    if (name ~ /^GL\//) return "GL"
    if (name ~ /^catch2\//) return "catch2"
    if (name ~ /^[a-z_0-9]+$/) return "std"
    if (name ~ /^((sys|netinet|arpa|linux)\/)?[a-z_0-9]+\.h$/) return "system"
    return "unknown"
  }
  function holds(list, word) { return index(" " list " ", " " word " ") > 0 }
  function wrong(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why; bad = 1 }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\""); from = room(FILENAME); to = room(part[2])
    if (!holds(own[from], to)) wrong(from " may include only " own[from])
  }
  /^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, part, /[<>]/); from = room(FILENAME); lib = library(part[2]); is_header = FILENAME ~ /\.(h|hpp)$/
    if (lib == "std" || (lib == "system" && !is_header)) next
    if (lib == "catch2") { if (FILENAME != "tests/catch.hpp") wrong("include \"tests/catch.hpp\""); next }
    if (is_header && !holds(header[from], lib)) wrong("not in a header of " from)
    if (!is_header && !holds(source[from], lib)) wrong("not in " from)
  }
  END { exit bad }'
