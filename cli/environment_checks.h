// What this machine offers tpsim: one list per subject, for `tpsim doctor`.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal.h"
#include "exec/gpus.h"

namespace tpsim::cli {

enum class CheckState { ok, missing, note };
const char* to_string(CheckState state);  // "ok", "missing", "note"

struct EnvironmentCheck {
  std::string subject;  // "processor", "mpi", ...
  CheckState state = CheckState::ok;
  std::string found;
  std::string fix;  // what would help; empty where nothing is missing
};

std::vector<EnvironmentCheck> machine_checks();                         // processor, threads, memory
std::vector<EnvironmentCheck> mpi_checks();                             // module, launcher
std::vector<EnvironmentCheck> gpu_checks(const exec::GpuProbe& probe);  // CUDA, driver, GPUs, NCCL, what was run
std::vector<EnvironmentCheck> display_checks();                         // visualizer, display, OpenGL, fonts
std::vector<EnvironmentCheck> terminal_checks(const Terminal& terminal);

}  // namespace tpsim::cli
