#include <filesystem>

#include "cli/output.h"
#include "core/json.h"
#include "core/source_text.h"
#include "core/text_file.h"
#include "gui/view/app.h"

namespace tpsim::gui {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxBytes = 256u << 20;

void open_model(App& app, const std::string& path) {
  Edit edit{"open model " + base_name(path), app.document()};
  edit.next.model = path;
  edit.next.set.clear();
  apply(app, std::move(edit));
}

void open_project(App& app, const std::string& text, const std::string& path) {
  auto read = read_document(text, path);
  if (!read) return say(app, read.error().message);
  apply(app, {"open project " + base_name(path), std::move(*read)});
  app.project_file = path;
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

bool open_json(App& app, const std::string& text, const std::string& path) {
  auto value = parse_json(text, path);
  if (!value) return false;
  if (schema_of(*value).starts_with("tpsim.project/")) return open_project(app, text, path), true;
  if (schema_of(*value).starts_with("tpsim.run/") || schema_of(*value).starts_with("tpsim.validate/")) {
    app.measured.run = std::move(*value);
    app.measured.run_name = base_name(path);
    app.view.bottom = "validation";
    return true;
  }
  if (has_member(*value, "traceEvents")) {
    auto trace = read_trace(text, path);
    if (!trace) return say(app, trace.error().message), true;
    app.measured.trace = std::move(*trace);
    app.measured.trace_name = base_name(path);
    app.view.bottom = "timeline";
    return true;
  }
  if (has_member(*value, "model_type") || has_member(*value, "architectures") || has_member(*value, "weight_map"))
    return open_model(app, path), true;
  return false;
}

}  // namespace

void open_path(App& app, const std::string& path) {
  std::error_code failed;
  if (fs::is_directory(path, failed) || path.ends_with(".safetensors")) return open_model(app, path);
  const auto text = read_text_file(path, kMaxBytes);
  if (!text) return say(app, text.error().message + (text.error().where.empty() ? "" : ": " + text.error().where));
  if (!path.ends_with(".py") && open_json(app, *text, path)) return;
  const auto plan = read_plan(*text, path);
  if (plan) return apply(app, add_plan(app.document(), {base_name(path), path, *text, false}));
  say(app,
      base_name(path) + ": not a config, plan, trace, checkpoint, result or project (" + plan.error().message + ")");
}

void save_project(App& app, const std::string& path) {
  const auto written = cli::write_file(path, to_json(app.document()));
  if (!written) return say(app, written.error().message);
  app.project_file = path;
  say(app, "saved " + path);
}

}  // namespace tpsim::gui
