#include "cli/environment_checks.h"

#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include "cli/measurement_output.h"
#include "cli/text.h"
#include "exec/memory_need.h"
#include "exec/process_rank.h"
#include "exec/program_folder.h"

namespace tpsim::cli {
namespace {

EnvironmentCheck ok(std::string subject, std::string found) {
  return {std::move(subject), CheckState::ok, std::move(found), {}};
}
EnvironmentCheck missing(std::string subject, std::string found, std::string fix) {
  return {std::move(subject), CheckState::missing, std::move(found), std::move(fix)};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// Those of the instruction sets that kernels can use.
std::string vector_instructions() {
  std::ifstream file("/proc/cpuinfo");
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream flags(line);
    for (std::string flag; flags >> flag;)
      for (const std::string_view known : {"avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"})
        if (flag == known) found.push_back(flag);
    break;
  }
  return found.empty() ? "no vector instructions known to tpsim" : joined(found);
}

int usable_threads() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                     : static_cast<int>(std::thread::hardware_concurrency());
}

std::string gibibytes(std::int64_t bytes) { return fixed(static_cast<double>(bytes) / (1 << 30), 1) + " GiB"; }

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

bool on_path(std::string_view program) {
  std::istringstream folders(variable("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && access((folder + "/" + std::string(program)).c_str(), X_OK) == 0) return true;
  return false;
}

bool loads(const char* library) {
  void* handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
  if (handle != nullptr) dlclose(handle);
  return handle != nullptr;
}

EnvironmentCheck display_check() {
  for (const char* name : {"WAYLAND_DISPLAY", "DISPLAY"})
    if (!variable(name).empty()) return ok("display", std::string(name) + "=" + variable(name));
  return missing("display", "neither DISPLAY nor WAYLAND_DISPLAY is set",
                 "tpsim gui --snapshot FILE.png draws without one");
}

EnvironmentCheck font_check() {
  for (const char* folder : {"/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/dejavu", "/usr/share/fonts/TTF"})
    if (std::filesystem::exists(std::string(folder) + "/DejaVuSans.ttf")) return ok("fonts", "DejaVu Sans");
  return missing("fonts", "DejaVu Sans is not there: the visualizer uses its built-in one",
                 "install DejaVu (Debian: fonts-dejavu-core)");
}

EnvironmentCheck gpu_check(const exec::Gpu& gpu, std::size_t number) {
  const std::string text = gpu.name + ", " + gibibytes(gpu.memory_bytes) + ", compute capability " +
                           std::to_string(gpu.major) + "." + std::to_string(gpu.minor) + ", " +
                           std::to_string(gpu.multiprocessors) + " multiprocessors";
  const std::string subject = "gpu " + std::to_string(number);
  return gpu.major >= exec::kOldestCapability ? ok(subject, text)
                                              : missing(subject, text + ": too old", "compute capability 8.0 or later");
}

}  // namespace

const char* to_string(CheckState state) {
  switch (state) {
    case CheckState::ok: return "ok";
    case CheckState::missing: return "missing";
    case CheckState::note: return "note";
  }
  return "";
}

std::vector<EnvironmentCheck> machine_checks() {
  std::vector<EnvironmentCheck> checks = {ok("processor", processor_name() + "; " + vector_instructions()),
                                          ok("threads", plural(usable_threads(), "hardware thread") + " usable")};
  const auto memory = exec::available_bytes();
  checks.push_back(memory ? ok("memory", gibibytes(*memory) + " available") : missing("memory", "unknown", {}));
  return checks;
}

std::vector<EnvironmentCheck> mpi_checks() {
  const char* fix = "install Open MPI (Debian: openmpi-bin libopenmpi-dev) and build tpsim with it";
  if (!exec::mpi_module()) return {missing("mpi", "this tpsim was built without MPI: --comm mpi is not possible", fix)};
  if (!on_path("mpirun")) return {missing("mpi", "there is no mpirun on the path", fix)};
  return {ok("mpi", "libtpsim_mpi.so, mpirun")};
}

std::vector<EnvironmentCheck> gpu_checks(const exec::GpuProbe& probe) {
  using exec::GpuLack;
  std::vector<EnvironmentCheck> checks;
  const bool loaded = probe.runtime > 0;
  const auto fixes = exec::lack_fixes(probe);
  const std::string fix = fixes.empty() ? std::string() : fixes.front();
  checks.push_back(loaded ? ok("cuda", "libtpsim_cuda.so, CUDA " + exec::cuda_version_text(probe.runtime))
                          : missing("cuda", exec::lack_text(probe), fix));
  if (loaded) {
    const bool driver = probe.lack != GpuLack::no_driver && probe.lack != GpuLack::old_driver;
    checks.push_back(driver ? ok("driver", "for CUDA " + exec::cuda_version_text(probe.driver))
                            : missing("driver", exec::lack_text(probe), fix));
    for (std::size_t i = 0; i < probe.gpus.size(); ++i) checks.push_back(gpu_check(probe.gpus[i], i));
    if (probe.gpus.empty())
      checks.push_back(missing("gpu", driver ? exec::lack_text(probe) : "no driver", driver ? fix : ""));
    checks.push_back(probe.nccl ? ok("nccl", "NCCL " + exec::nccl_version_text(*probe.nccl))
                                : missing("nccl", probe.nccl_reason, "install libnccl.so.2 (NCCL 2.18 or later)"));
  }
  checks.push_back(
      {"gpu backend", CheckState::note, exec::kNotRunOnGpus, "to run it: ctest -L gpu, on a machine with a GPU"});
  return checks;
}

std::vector<EnvironmentCheck> display_checks() {
  std::vector<EnvironmentCheck> checks;
  checks.push_back(exec::beside_program({"tpsim-gui"}) || on_path("tpsim-gui")
                       ? ok("visualizer", "tpsim-gui")
                       : missing("visualizer", "there is no program tpsim-gui", "build tpsim with libimgui-dev"));
  checks.push_back(display_check());
  checks.push_back(loads("libGL.so.1") || loads("libOpenGL.so.0")
                       ? ok("opengl", "libGL")
                       : missing("opengl", "libGL.so.1 does not load", "install libgl1"));
  checks.push_back(font_check());
  return checks;
}

std::vector<EnvironmentCheck> terminal_checks(const Terminal& terminal) {
  return {ok("terminal", std::string(terminal.interactive ? "interactive" : "not interactive") + ", " +
                             std::to_string(terminal.width) + " columns, " + (terminal.color ? "colour" : "no colour") +
                             ", " + (terminal.utf8 ? "UTF-8" : "ASCII"))};
}

}  // namespace tpsim::cli
