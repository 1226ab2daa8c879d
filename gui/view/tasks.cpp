#include "gui/view/tasks.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/output.h"

namespace tpsim::gui {
namespace {

constexpr std::size_t kMostAtOnce = 2;  // one that is out of date, and its successor

Task evaluation(const App& app) {
  const auto task = [a = app.results.a, b = app.results.b, d = app.document(), memo = app.results.memo] {
    Sides sides = evaluate_sides(a, b, d, *memo);
    return Outcome([d, sides = std::move(sides)](App& target) mutable {
      if (target.document() == d) install(target.results, std::move(sides));
    });
  };
  return {"analysis", "analysis " + to_json(app.document()), task};
}

Task sweep(const App& app) {
  const auto task = [report = app.results.a.report, d = app.document(), key = app.results.a.key] {
    SharedReport made = sweep_of(*report, d);
    return Outcome([made, key](App& target) {
      if (target.results.a.key != key) return;
      target.results.sweep = made;
      target.results.sweep_done = true;
    });
  };
  return {"TP sizes", "sizes " + app.results.a.key, task};
}

Task repairs(const App& app) {
  const auto task = [report = app.results.a.report, key = app.results.a.key] {
    SharedReport made = with_repairs(*report);
    return Outcome([made, key](App& target) {
      if (target.results.a.key != key) return;
      target.results.a.report = made;
      target.results.repairs_done = true;
    });
  };
  return {"repairs", "repairs " + app.results.a.key, task};
}

ModuleRow at_layer(ModuleRow row, int layer) {
  if (layer >= 0) row.first_index = layer;
  return row;
}

Task consequence(const App& app, const ModuleRow& row, std::size_t index) {
  const auto task = [entry = app.what_if.list[index], key = app.what_if.key, index, d = app.document(),
                     report = app.results.a.report, row = at_layer(row, app.view.layer), scope = app.view.scope] {
    Consequence done = work_out(entry, d, *report, row, scope);
    return Outcome([done, key, index](App& target) {
      if (target.what_if.key == key) target.what_if.list[index] = done;
    });
  };
  return {"what if", "what if " + app.what_if.key + std::to_string(index), task};
}

std::string held_key(const Measured& m) { return std::to_string(m.loads) + " " + m.hardware + " " + m.profile; }

Task holding(const App& app) {
  const auto task = [run = *app.measured.stored, hardware = app.measured.hardware, profile = app.measured.profile,
                     key = held_key(app.measured)] {
    auto held = hold_against(run, hardware, profile);
    return Outcome([held = std::make_shared<Result<HeldRun>>(std::move(held)), key](App& target) {
      Measured& m = target.measured;
      m.held_key = key;
      m.held.reset();
      m.error.reset();
      if (*held) m.held = std::shared_ptr<const HeldRun>(held, &**held);
      if (!*held) m.error = held->error();
      target.derived_from = 0;
    });
  };
  return {"validation", "validation " + held_key(app.measured), task};
}

Task calibration(const App& app) {
  const auto task = [run = *app.measured.stored, hardware = app.measured.hardware] {
    const auto fit = calibration_from(run, hardware);
    const std::string file = run.file + ".profile.json";
    const Result<void> written = fit ? cli::write_file(file, to_json(fit->calibration)) : Result<void>(fit.error());
    return Outcome([written, file, hardware](App& target) {
      target.measured.wants_calibration = false;
      if (!written) return say(target, "no calibration: " + written.error().message);
      target.measured.profile = file;
      Edit edit{"calibrate with " + file, target.document()};
      edit.next.hardware = hardware;
      edit.next.profile = file;
      apply(target, std::move(edit));
      say(target, "wrote " + file + "; predictions of " + hardware + " use it");
    });
  };
  return {"calibration", "calibration " + held_key(app.measured), task};
}

Task opening(const std::string& path) {
  return {"reading " + path, "open " + path, [path] { return read_path(path); }};
}

}  // namespace

std::optional<Task> next_task(App& app) {
  if (!app.to_open.empty()) return opening(app.to_open.front());
  if (app.measured.stored && app.measured.held_key != held_key(app.measured)) return holding(app);
  if (app.measured.stored && app.measured.wants_calibration) return calibration(app);
  if (!is_current(app.results, app.document())) return evaluation(app);
  if (!app.results.a.report) return std::nullopt;
  if (!app.results.sweep_done) return sweep(app);
  if (!app.results.repairs_done) return repairs(app);
  const ModuleRow* row = app.selected_row();
  if (row == nullptr || !row->is_leaf() || app.view.show_b) return std::nullopt;
  open_what_if(app.what_if, app.results, *row, app.view.scope);
  const int next = next_of(app.what_if);
  if (next < 0) return std::nullopt;
  return consequence(app, *row, static_cast<std::size_t>(next));
}

bool Tasks::take_in(App& app) {
  bool changed = false;
  for (Running& r : running_) {
    if (r.outcome.wait_for(std::chrono::seconds(0)) != std::future_status::ready) continue;
    const Outcome outcome = r.outcome.get();
    r.name.clear();
    if (r.dropped) continue;
    outcome(app);
    changed = true;
  }
  std::erase_if(running_, [](const Running& r) { return r.name.empty(); });
  return changed;
}

bool Tasks::step(App& app) {
  const bool changed = take_in(app);
  if (running_.size() >= kMostAtOnce) return changed;
  auto task = next_task(app);
  if (!task) return changed;
  const bool runs = std::any_of(running_.begin(), running_.end(), [&](const Running& r) { return r.key == task->key; });
  if (runs) return changed;
  if (!app.to_open.empty()) app.to_open.erase(app.to_open.begin());
  if (!threads_) {
    task->run()(app);
    return true;
  }
  running_.push_back({task->name, task->key, std::async(std::launch::async, task->run), false});
  return changed;
}

std::vector<std::string> Tasks::names() const {
  std::vector<std::string> list;
  for (const Running& r : running_)
    if (!r.dropped) list.push_back(r.name);
  return list;
}

void Tasks::cancel() {
  for (Running& r : running_) r.dropped = true;
}

}  // namespace tpsim::gui
