#include "gui/view/program.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "cli/help.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/text.h"
#include "core/suggest.h"
#include "core/text_file.h"

namespace tpsim::gui {
namespace {

constexpr char kWindowProgram[] = "tpsim-gui-window";
constexpr std::size_t kMaxScript = 16u << 20;

Result<void> choose(const char* flag, const std::string& value, const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), value) != names.end()) return {};
  Error error = usage_error(std::string("--") + flag + ": no \"" + value + "\"");
  error.details.push_back("there are: " + cli::joined(names, ", "));
  return error;
}

Result<void> read_size(const std::string& text, HostOptions& host) {
  const char* end = text.data() + text.size();
  const auto [x, first] = std::from_chars(text.data(), end, host.width);
  if (first == std::errc() && x != end && *x == 'x') {
    const auto [rest, second] = std::from_chars(x + 1, end, host.height);
    constexpr int least = 200, most = 8192;
    if (second == std::errc() && rest == end && std::min(host.width, host.height) >= least &&
        std::max(host.width, host.height) <= most)
      return {};
  }
  Error error = usage_error("--size: \"" + text + "\" is not of the form 1600x900, from 200 to 8192");
  return error;
}

Result<void> select_wanted(App& app, const std::string& wanted) {
  update(app);
  const int row = find_module(app.modules, wanted);
  if (row < 0) {
    std::vector<std::string> names;
    for (const ModuleRow& r : app.modules) names.push_back(r.pattern);
    Error error = usage_error("--select: no module \"" + wanted + "\"");
    const auto near = nearest(wanted, names);
    if (!near.empty()) error.details.push_back("nearest: " + cli::joined(near, ", "));
    return error;
  }
  select(app, app.modules[static_cast<std::size_t>(row)].path);
  return {};
}

Result<void> set_view(App& app, const cli::Options& o) {
  if (o.theme) {
    if (auto known = choose("theme", *o.theme, {"dark", "light"}); !known) return known;
    app.view.theme = *o.theme;
  }
  app.view.font_scale = static_cast<float>(o.font_scale.value_or(1));
  if (o.workspace) {
    if (auto known = choose("workspace", *o.workspace, kWorkspaces); !known) return known;
    set_workspace(app, *o.workspace);
  }
  if (o.panel) {
    if (auto known = choose("panel", *o.panel, panel_names()); !known) return known;
    app.view.alone = *o.panel;
  }
  return {};
}

struct Times {
  std::vector<double> wall, cpu;
  void add(const Host& host) {
    wall.push_back(host.frame_ms());
    cpu.push_back(host.cpu_ms());
  }
};

void print_times(const std::string& what, Times times) {
  std::sort(times.wall.begin(), times.wall.end());
  std::sort(times.cpu.begin(), times.cpu.end());
  const std::size_t n = times.cpu.size();
  std::printf("%-28s %7.3f ms median, %7.3f ms p99 of processor; %7.3f ms median by the clock; %zu frames\n",
              what.c_str(), times.cpu[n / 2], times.cpu[n * 99 / 100], times.wall[n / 2], n);
}

Times timed_edits(Host& host, const std::function<void(Document&, int)>& change) {
  constexpr int edits = 20;
  Times times;
  for (int i = 0; i < edits; ++i) {
    Edit edit{"bench", host.app().document()};
    change(edit.next, i);
    apply(host.app(), std::move(edit));
    host.frame();
    times.add(host);
    host.settle();
  }
  return times;
}

void print_bench(Host& host, std::int64_t frames, double first_ms) {
  std::size_t events = 0;
  for (const auto* t : {&host.app().prefill, &host.app().decode})
    if (*t) events += (*t)->events();
  std::printf("first answer %.1f ms from the start of the program; %zu timeline events\n", first_ms, events);
  for (const std::string& workspace : kWorkspaces) {
    set_workspace(host.app(), workspace);
    host.settle();
    Times times;
    for (std::int64_t i = 0; i < frames; ++i) {
      host.frame();
      times.add(host);
    }
    print_times("frame, workspace " + workspace, std::move(times));
  }
  set_workspace(host.app(), "plan");
  print_times("edit: batch", timed_edits(host, [](Document& d, int i) { d.batch = 9 + i % 2; }));
  if (!host.app().shown()) return;
  const std::string text = plan_text_of(host.app().document(), host.app().shown()->scenario);
  print_times(
      "edit: plan", timed_edits(host, [&](Document& d, int i) {
        d.plans.resize(1);
        d.plans.push_back({"bench", "bench.json", text + std::string(static_cast<std::size_t>(i + 1), '\n'), false});
        d.edited = 1;
      }));
}

Result<int> run_headless(Startup startup, const cli::Options& o, std::chrono::steady_clock::time_point start) {
  auto host = Host::create(std::move(startup.app), startup.host);
  if (!host) return host.error();
  (*host)->frame();
  const std::chrono::duration<double, std::milli> first = std::chrono::steady_clock::now() - start;
  (*host)->settle();
  // A picture of an error is what scripts may want; others want the answer or the reason.
  if (!o.script && (*host)->app().results.a.error) return *(*host)->app().results.a.error;
  if (o.script) {
    const auto text = read_text_file(*o.script, kMaxScript);
    if (!text) return text.error();
    if (auto done = run_script(**host, *text, *o.script); !done) return done.error();
  }
  if (o.bench) print_bench(**host, o.frames.value_or(500), first.count());
  for (std::int64_t i = 0; !o.bench && i < o.frames.value_or(0); ++i) (*host)->frame();
  if (o.snapshot)
    if (auto written = write_png((*host)->picture(), *o.snapshot); !written) return written.error();
  if (o.dump_ui)
    if (auto written = cli::write_file(*o.dump_ui, dump_items((*host)->items())); !written) return written.error();
  return 0;
}

int open_window(const std::vector<std::string>& arguments) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  std::string program = (self.parent_path() / kWindowProgram).string();
  std::vector<std::string> words = arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  Error error{ErrorKind::environment,
              {},
              "this build has no window: GLFW or OpenGL was not there when it was built",
              {},
              {},
              {}};
  error.fixes = {"tpsim gui ... --snapshot picture.png   needs no display",
                 "install libglfw3-dev and libgl-dev and build again"};
  return report(error);
}

}  // namespace

Result<Startup> start_up(const cli::Options& o) {
  auto document = document_of(o);
  if (!document) return document.error();
  Startup startup{make_app(std::move(*document)), {}};
  startup.host.font = o.font.value_or("");
  if (o.window_size)
    if (auto read = read_size(*o.window_size, startup.host); !read) return read.error();
  if (auto set = set_view(startup.app, o); !set) return set.error();
  for (const std::string& path : o.operands) open_path(startup.app, path);
  if (o.select)
    if (auto selected = select_wanted(startup.app, *o.select); !selected) return selected.error();
  return startup;
}

Result<cli::Invocation> parse(std::vector<std::string> arguments) {
  if (std::find(arguments.begin(), arguments.end(), "gui") == arguments.end())
    arguments.insert(arguments.begin(), "gui");
  const auto settings = cli::load_settings();
  if (!settings) return settings.error();
  return cli::parse_arguments(arguments, *settings);
}

int report(const Error& error) {
  cli::write_stderr(cli::error_text(error, cli::detect_terminal(cli::Stream::err, {})));
  return exit_code(error.kind);
}

int run(const std::vector<std::string>& arguments) {
  const auto start = std::chrono::steady_clock::now();
  const auto invocation = parse(arguments);
  if (!invocation) return report(invocation.error());
  const cli::Options& o = invocation->options;
  const bool headless = o.snapshot || o.script || o.dump_ui || o.bench || o.frames;
  if (!headless) return open_window(o.arguments);
  auto startup = start_up(o);
  if (!startup) return report(startup.error());
  const auto done = run_headless(std::move(*startup), o, start);
  return done ? *done : report(done.error());
}

}  // namespace tpsim::gui
