#include <algorithm>

#include "cli/json_writer.h"
#include "core/json.h"
#include "gui/view/host.h"

namespace tpsim::gui {
namespace {

std::string text_of(const ValueObject& step, std::string_view key) {
  const Value* value = find(step, key);
  const auto* text = value ? std::get_if<std::string>(&value->data) : nullptr;
  return text ? *text : "";
}

float number_of(const ValueObject& step, std::string_view key) {
  const Value* value = find(step, key);
  if (value == nullptr) return 0;
  if (const auto* i = std::get_if<std::int64_t>(&value->data)) return static_cast<float>(*i);
  const auto* d = std::get_if<double>(&value->data);
  return d ? static_cast<float>(*d) : 0;
}

Result<void> expect(const Host& host, const ValueObject& step) {
  const std::string path = text_of(step, "expect");
  const Item* item = host.find(path);
  if (item == nullptr) return input_error("no control \"" + path + "\"");
  for (const auto& [key, actual] :
       {std::pair<const char*, std::string>{"value", item->value}, {"label", item->label}}) {
    if (find(step, key) == nullptr) continue;
    if (actual.find(text_of(step, key)) == std::string::npos)
      return input_error("\"" + path + "\" has " + key + " \"" + actual + "\", not \"" + text_of(step, key) + "\"");
  }
  return {};
}

Result<void> run_step(Host& host, const ValueObject& step) {
  const auto has = [&](std::string_view key) { return find(step, key) != nullptr; };
  const auto missing = [&](std::string_view key) {
    return input_error("no control \"" + text_of(step, key) + "\" that can be seen");
  };
  if (has("click") && !host.click(text_of(step, "click"))) return missing("click");
  if (has("double_click") && !host.click(text_of(step, "double_click"), true)) return missing("double_click");
  if (has("type")) host.type(text_of(step, "type"));
  if (has("key")) host.key(text_of(step, "key"));
  if (has("drag") && !host.drag(text_of(step, "drag"), number_of(step, "dx"), number_of(step, "dy")))
    return missing("drag");
  if (has("drop")) open_path(host.app(), text_of(step, "drop"));
  if (has("wait"))
    for (int i = 0; i < std::clamp(static_cast<int>(number_of(step, "wait")), 0, 10000); ++i) host.frame();
  host.settle();
  if (has("expect")) return expect(host, step);
  if (has("shot")) return write_png(host.picture(), text_of(step, "shot"));
  return {};
}

}  // namespace

Result<void> run_script(Host& host, std::string_view text, const std::string& file) {
  const auto value = parse_json(text, file);
  if (!value) return value.error();
  const auto* steps = std::get_if<ValueList>(&value->data);
  if (steps == nullptr) return input_error("a script is a JSON list of steps", file);
  for (std::size_t i = 0; i < steps->size(); ++i) {
    const auto* step = std::get_if<ValueObject>(&(*steps)[i].data);
    auto done = step ? run_step(host, *step) : Result<void>(input_error("a step is a JSON object"));
    if (done) continue;
    Error error = done.error();
    error.message = "step " + std::to_string(i + 1) + ": " + error.message;
    error.where = file;
    return error;
  }
  return {};
}

std::string dump_items(const std::vector<Item>& items) {
  std::string out;
  cli::JsonWriter json(out, 2);
  json.begin_object();
  json.member("schema", "tpsim.ui/1");
  json.key("items");
  json.begin_array();
  for (const Item& item : items) {
    json.begin_object();
    json.member("path", item.path);
    json.member("kind", item.kind);
    json.member("label", item.label);
    json.member("value", item.value);
    json.key("rect");
    json.begin_array();
    for (const float v : {item.x, item.y, item.width, item.height}) json.value(static_cast<double>(v), 1);
    json.end_array();
    json.member("enabled", item.enabled);
    json.member("visible", item.visible);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return out + "\n";
}

}  // namespace tpsim::gui
