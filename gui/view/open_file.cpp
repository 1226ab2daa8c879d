#include <filesystem>
#include <memory>

#include "cli/output.h"
#include "core/json.h"
#include "core/source_text.h"
#include "core/text_file.h"
#include "gui/view/app.h"

namespace tpsim::gui {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxBytes = 256u << 20;

Outcome failure(std::string message) {
  return [message = std::move(message)](App& app) { say(app, message); };
}

Outcome model_outcome(const std::string& path) {
  return [path](App& app) {
    Edit edit{"open model " + base_name(path), app.document()};
    edit.next.model = path;
    edit.next.set.clear();
    apply(app, std::move(edit));
    remember(app, path);
  };
}

Outcome project_outcome(const std::string& text, const std::string& path) {
  auto read = read_document(text, path);
  if (!read) return failure(read.error().message);
  return [document = std::move(*read), path](App& app) {
    apply(app, {"open project " + base_name(path), document});
    app.project_file = path;
    app.saved = app.document();
    remember(app, path);
  };
}

Outcome run_outcome(Value value, const std::string& path) {
  auto stored = cli::read_stored_run(path);
  return [value = std::move(value), stored, path](App& app) {
    app.measured.run = value;
    app.measured.run_name = base_name(path);
    app.measured.stored.reset();
    if (stored) app.measured.stored = *stored;
    ++app.measured.loads;
    app.view.bottom = "validation";
    remember(app, path);
  };
}

Outcome trace_outcome(const std::string& text, const std::string& path) {
  auto trace = read_trace(text, path);
  if (!trace) return failure(trace.error().message);
  return [trace = std::make_shared<const Timeline>(std::move(*trace)), path](App& app) {
    app.measured.trace = trace;
    app.measured.trace_name = base_name(path);
    app.view.bottom = "timeline";
    remember(app, path);
  };
}

std::string schema_of(const Value& value) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  const Value* schema = object ? find(*object, "schema") : nullptr;
  const auto* text = schema ? std::get_if<std::string>(&schema->data) : nullptr;
  return text ? *text : "";
}

bool has_member(const Value& value, std::string_view key) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  return object != nullptr && find(*object, key) != nullptr;
}

// None where the text is no JSON that is known, so that it may be a plan.
Outcome json_outcome(const std::string& text, const std::string& path) {
  auto value = parse_json(text, path);
  if (!value) return {};
  const std::string schema = schema_of(*value);
  if (schema.starts_with("tpsim.project/")) return project_outcome(text, path);
  if (schema.starts_with("tpsim.run/") || schema.starts_with("tpsim.validate/"))
    return run_outcome(std::move(*value), path);
  if (has_member(*value, "traceEvents")) return trace_outcome(text, path);
  if (has_member(*value, "model_type") || has_member(*value, "architectures") || has_member(*value, "weight_map"))
    return model_outcome(path);
  return {};
}

}  // namespace

Outcome read_path(const std::string& path) {
  std::error_code failed;
  if (fs::is_directory(path, failed) || path.ends_with(".safetensors")) return model_outcome(path);
  const auto text = read_text_file(path, kMaxBytes);
  if (!text) return failure(text.error().message + (text.error().where.empty() ? "" : ": " + text.error().where));
  if (!path.ends_with(".py"))
    if (auto known = json_outcome(*text, path)) return known;
  const auto plan = read_plan(*text, path);
  if (!plan)
    return failure(base_name(path) + ": not a config, plan, trace, checkpoint, result or project (" +
                   plan.error().message + ")");
  return [path, text = *text](App& app) {
    apply(app, add_plan(app.document(), {base_name(path), path, text, false}));
    remember(app, path);
  };
}

void open_path(App& app, const std::string& path) {
  if (app.threads)
    app.to_open.push_back(path);
  else
    read_path(path)(app);
}

void remember(App& app, const std::string& path) {
  constexpr std::size_t most = 12;
  std::error_code failed;
  const fs::path absolute = fs::absolute(path, failed);
  const std::string name = failed ? path : absolute.lexically_normal().string();
  std::erase(app.recent, name);
  app.recent.insert(app.recent.begin(), name);
  if (app.recent.size() > most) app.recent.resize(most);
}

void save_project(App& app, const std::string& path) {
  const auto written = cli::write_file(path, to_json(app.document()));
  if (!written) return say(app, written.error().message);
  app.project_file = path;
  app.saved = app.document();
  remember(app, path);
  say(app, "saved " + path);
}

}  // namespace tpsim::gui
