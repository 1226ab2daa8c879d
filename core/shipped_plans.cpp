// plans/<model_type>/tp_plans.json: what each release ships, each entry stating only what changed since the one before.
#include <charconv>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/data.h"
#include "core/effective_plan.h"
#include "core/json.h"

namespace tpsim {
namespace {

struct Release {
  Dialect from;
  ShippedPlans plans;
};

struct ShippedFile {
  std::vector<Release> releases;  // oldest first
  std::optional<Error> fault;
};

// Parsed once per process; entries are never removed.
class Cache {
public:
  const ShippedFile* find(std::string_view model_type) {
    const std::string path = "plans/" + std::string(model_type) + "/tp_plans.json";
    const std::lock_guard lock(mutex_);
    if (const auto known = files_.find(path); known != files_.end()) return known->second.get();
    const auto text = find_data(path);
    if (!text) return nullptr;
    return files_.emplace(path, parse(*text, path)).first->second.get();
  }

private:
  static std::unique_ptr<const ShippedFile> parse(std::string_view text, const std::string& path);

  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<const ShippedFile>> files_;
};

Error fault(std::string message, const std::string& where) { return input_error(std::move(message), where); }

const ValueObject* as_object(const Value* value) { return value ? std::get_if<ValueObject>(&value->data) : nullptr; }
const std::string* as_text(const Value* value) { return value ? std::get_if<std::string>(&value->data) : nullptr; }

std::optional<Dialect> read_version(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  Dialect version{0, 0, 0};
  const char* const end = text->data() + text->size();
  const auto major = std::from_chars(text->data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc() || minor.ptr != end) return std::nullopt;
  return version;
}

// `into` keeps the previous release's plan where the entry has no such key; null states that there is none.
Result<void> read_plan_of(const ValueObject& entry, std::string_view key, const std::string& where, Plan& into,
                          bool& has) {
  const Value* value = find(entry, key);
  if (value == nullptr) return {};
  into.rules.clear();
  has = !value->is_null();
  if (!has) return {};
  const auto* object = as_object(value);
  if (object == nullptr) return fault("\"" + std::string(key) + "\" must be an object or null", where);
  for (const auto& [name, strategy] : *object) {
    const auto* text = as_text(&strategy);
    if (text == nullptr) return fault("\"" + name + "\": a strategy must be text, not " + type_name(strategy), where);
    into.rules.push_back({name, *text, {}, {}});
  }
  return {};
}

Result<Release> read_release(const Value& value, Release previous, const std::string& where) {
  const auto* entry = as_object(&value);
  if (entry == nullptr) return fault("a release must be an object", where);
  const auto from = read_version(as_text(find(*entry, "from")));
  const auto* release = as_text(find(*entry, "release"));
  if (!from || release == nullptr) return fault("a release needs \"from\": \"MAJOR.MINOR\" and \"release\"", where);
  if (*from < previous.from) return fault("releases must be in order, oldest first", where);
  previous.from = *from;
  previous.plans.version = *release;
  bool has_class_plan = false;
  auto& plans = previous.plans;
  if (auto r = read_plan_of(*entry, "tp", where, plans.config_plan, plans.has_config_plan); !r) return r.error();
  if (auto r = read_plan_of(*entry, "class", where, plans.class_plan, has_class_plan); !r) return r.error();
  if (auto r = read_plan_of(*entry, "ep", where, plans.expert_plan, plans.has_expert_plan); !r) return r.error();
  return previous;
}

Result<std::vector<Release>> read_releases(std::string_view text, const std::string& where) {
  auto document = parse_json(text, where);
  if (!document) return document.error();
  const auto* root = as_object(&*document);
  const Value* list = root ? find(*root, "releases") : nullptr;
  const auto* entries = list ? std::get_if<ValueList>(&list->data) : nullptr;
  if (entries == nullptr || entries->empty())
    return fault("\"releases\" must be a list with at least one entry", where);
  std::vector<Release> releases;
  for (const auto& entry : *entries) {
    auto release = read_release(entry, releases.empty() ? Release{{0, 0, 0}, {}} : releases.back(),
                                where + "#/releases/" + std::to_string(releases.size()));
    if (!release) return release.error();
    releases.push_back(std::move(*release));
  }
  return releases;
}

std::unique_ptr<const ShippedFile> Cache::parse(std::string_view text, const std::string& path) {
  auto file = std::make_unique<ShippedFile>();
  auto releases = read_releases(text, data_origin(path));
  if (releases)
    file->releases = std::move(*releases);
  else
    file->fault = releases.error();
  return file;
}

}  // namespace

ShippedPlans shipped_plans(std::string_view model_type, const Dialect& dialect) {
  static Cache cache;
  const ShippedFile* file = cache.find(model_type);
  if (file == nullptr) return {};
  if (file->fault) {
    ShippedPlans broken;
    broken.fault = file->fault;
    return broken;
  }
  const Release* chosen = &file->releases.front();
  for (const auto& release : file->releases)
    if (dialect.at_least(release.from.major, release.from.minor)) chosen = &release;
  ShippedPlans plans = chosen->plans;
  plans.is_newer = dialect.below(chosen->from.major, chosen->from.minor);
  return plans;
}

}  // namespace tpsim
