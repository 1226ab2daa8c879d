#include "sim/calibration.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "core/data.h"
#include "core/json.h"
#include "core/suggest.h"

namespace tpsim {
namespace {

constexpr std::string_view kFolder = "sim/calibration/";
constexpr std::string_view kEnding = ".json";
constexpr std::string_view kSchema = "tpsim.calibration/1";

Error in_file(Error error, const std::string& file) {
  if (error.where.empty()) error.where = file;
  return error;
}

Result<void> set_text(std::string& text, const std::string& key, const Value& value) {
  const auto* given = std::get_if<std::string>(&value.data);
  if (given == nullptr) return input_error("\"" + key + "\" is not a text");
  text = *given;
  return {};
}

template <class Family>
Result<void> set_family(std::optional<Family>& family, Result<Family> read) {
  if (!read) return read.error();
  family = std::move(*read);
  return {};
}

Result<void> set_machine(Calibration& c, const Value& value) {
  c.machine_text = to_json(value);
  auto machine = read_hardware(c.machine_text, c.origin);
  if (!machine) return machine.error();
  c.machine = std::make_shared<const Hardware>(*std::move(machine));
  return {};
}

Result<void> set_stack(Calibration& c, const Value& value) {
  auto stack = read_stack_entry(value, c.origin, "tpsim");
  if (!stack) return stack.error();
  c.stack = *std::move(stack);
  return {};
}

Result<void> set_member(Calibration& c, const std::string& key, const Value& value) {
  if (key == "calibration") return set_text(c.name, key, value);
  if (key == "hardware") return set_text(c.hardware, key, value);
  if (key == "gemm") return set_family(c.gemm, read_gemm_calibration(value));
  if (key == "elementwise") return set_family(c.elementwise, read_elementwise_calibration(value));
  if (key == "attention") return set_family(c.attention, read_attention_calibration(value, key));
  if (key == "mla") return set_family(c.mla, read_attention_calibration(value, key));
  if (key == "moe") return set_family(c.moe, read_moe_calibration(value));
  if (key == "collectives") return set_family(c.collectives, read_collective_calibration(value));
  if (key == "machine") return set_machine(c, value);
  if (key == "stack") return set_stack(c, value);
  if (key == "provenance") {
    c.provenance = to_json(value);
    return {};
  }
  return input_error("\"" + key + "\" is not a member of a calibration");
}

// Adds the families of one text to the calibration.
Result<void> add_families(Calibration& c, std::string_view text, const std::string& file) {
  const auto json = parse_json(text, file);
  if (!json) return json.error();
  const auto* object = std::get_if<ValueObject>(&json->data);
  const Value* schema = object == nullptr ? nullptr : find(*object, "schema");
  if (schema == nullptr || *schema != Value{std::string(kSchema)})
    return input_error("a calibration is a JSON object with \"schema\": \"" + std::string(kSchema) + "\"", file);
  for (const auto& [key, value] : *object) {
    if (key == "schema") continue;
    if (auto set = set_member(c, key, value); !set) return in_file(set.error(), file);
  }
  return {};
}

Error unknown_set(const std::string& set) {
  const auto names = calibration_names();
  const auto near = nearest(set, names, 1);
  Error error =
      input_error("no calibration \"" + set + "\"" + (near.empty() ? "" : "; did you mean \"" + near.front() + "\"?"));
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  error.details = {"calibrations: " + list};
  return error;
}

Result<std::shared_ptr<const Calibration>> load(const std::string& set) {
  const auto files = list_data(std::string(kFolder) + set + "/");
  if (files.empty()) return unknown_set(set);
  auto calibration = std::make_shared<Calibration>();
  for (const std::string& path : files) {
    if (!path.ends_with(kEnding)) continue;
    if (auto added = add_families(*calibration, *find_data(path), data_origin(path)); !added) return added.error();
  }
  calibration->name = set;
  calibration->origin = "built-in";
  return std::shared_ptr<const Calibration>(std::move(calibration));
}

}  // namespace

Result<std::shared_ptr<const Calibration>> load_calibration(const std::string& set) {
  static std::mutex mutex;
  static std::map<std::string, Result<std::shared_ptr<const Calibration>>> loaded;
  const std::lock_guard lock(mutex);
  auto it = loaded.find(set);
  if (it == loaded.end()) it = loaded.emplace(set, load(set)).first;
  return it->second;
}

std::vector<std::string> calibration_names() {
  std::vector<std::string> names;
  for (const std::string& path : list_data(kFolder)) {
    const std::string rest = path.substr(kFolder.size());
    if (const auto slash = rest.find('/'); slash != std::string::npos) names.push_back(rest.substr(0, slash));
  }
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<Calibration> read_calibration(std::string_view text, const std::string& file) {
  Calibration c;
  c.origin = file;
  if (auto added = add_families(c, text, file); !added) return added.error();
  return c;
}

std::string to_json(const Calibration& c) {
  ValueObject object = {{"schema", Value{std::string(kSchema)}}, {"calibration", Value{c.name}}};
  if (!c.hardware.empty()) object.emplace_back("hardware", Value{c.hardware});
  if (c.gemm) object.emplace_back("gemm", to_value(*c.gemm));
  if (c.elementwise) object.emplace_back("elementwise", to_value(*c.elementwise));
  if (c.attention) object.emplace_back("attention", to_value(*c.attention));
  if (c.mla) object.emplace_back("mla", to_value(*c.mla));
  if (c.moe) object.emplace_back("moe", to_value(*c.moe));
  if (c.collectives) object.emplace_back("collectives", to_value(*c.collectives));
  std::string text = to_json(Value{std::move(object)});
  const auto add = [&](const char* name, const std::string& json) {
    if (!json.empty()) text.insert(text.size() - 1, std::string(",\"") + name + "\":" + json);
  };
  add("machine", c.machine_text);
  add("stack", c.stack ? to_json(*c.stack) : "");
  add("provenance", c.provenance);
  return text + "\n";
}

Result<void> check_calibration(const Hardware& hardware) {
  if (hardware.own_profile || hardware.calibration.empty()) return {};
  const auto loaded = load_calibration(hardware.calibration);
  if (!loaded) return loaded.error();
  return {};
}

std::shared_ptr<const Calibration> calibration_of(const Hardware& hardware) {
  if (hardware.own_profile) return hardware.own_profile;
  if (hardware.calibration.empty()) return nullptr;
  const auto loaded = load_calibration(hardware.calibration);
  return loaded ? *loaded : nullptr;
}

}  // namespace tpsim
