#include "tests/smoke/json_schema.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "core/json.h"

namespace tpsim::test {
namespace {

Value read_schema_file(const std::string& file) {
  const std::string path = "docs/schema/" + file;
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  auto value = parse_json(text.str(), path);
  if (!value) throw std::runtime_error(path + ": " + value.error().message);
  return std::move(*value);
}

// Files stay loaded, so that pointers into them hold.
const Value& schema_file(const std::string& file) {
  static std::map<std::string, Value> files;
  const auto found = files.find(file);
  return found != files.end() ? found->second : files.emplace(file, read_schema_file(file)).first->second;
}

const ValueObject& object_of(const Value& value) { return std::get<ValueObject>(value.data); }
const std::string& text_of(const Value& value) { return std::get<std::string>(value.data); }

// "common.schema.json#/definitions/inputs", "error.schema.json"
const Value& resolve(const std::string& reference) {
  const auto hash = reference.find("#/");
  const Value* value = &schema_file(reference.substr(0, hash));
  if (hash == std::string::npos) return *value;
  std::stringstream parts(reference.substr(hash + 2));
  for (std::string part; std::getline(parts, part, '/');) {
    value = find(object_of(*value), part);
    if (value == nullptr) throw std::runtime_error("no " + reference);
  }
  return *value;
}

bool is_type(const Value& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return std::holds_alternative<bool>(value.data);
  if (type == "integer") return std::holds_alternative<std::int64_t>(value.data);
  if (type == "number") return is_type(value, "integer") || std::holds_alternative<double>(value.data);
  if (type == "string") return std::holds_alternative<std::string>(value.data);
  if (type == "array") return std::holds_alternative<ValueList>(value.data);
  return type == "object" && std::holds_alternative<ValueObject>(value.data);
}

double number_of(const Value& value) {
  const auto* const n = std::get_if<std::int64_t>(&value.data);
  return n != nullptr ? static_cast<double>(*n) : std::get<double>(value.data);
}

class Validator {
public:
  std::vector<std::string> run(const Value& document, const Value& schema) {
    check(document, schema, "");
    return std::move(faults_);
  }

private:
  void fault(const std::string& path, const std::string& reason) {
    faults_.push_back((path.empty() ? "/" : path) + ": " + reason);
  }

  void check(const Value& value, const Value& schema, const std::string& path) {
    for (const auto& [keyword, argument] : object_of(schema)) check_keyword(value, schema, keyword, argument, path);
  }

  // One of the schemas has to leave no fault; else those of the last one are reported.
  void check_any_of(const Value& value, const Value& schemas, const std::string& path) {
    const std::vector<std::string> before = faults_;
    std::vector<std::string> last;
    for (const Value& schema : std::get<ValueList>(schemas.data)) {
      check(value, schema, path);
      if (faults_.size() == before.size()) return;
      last = std::exchange(faults_, before);
    }
    faults_ = std::move(last);
  }

  void check_keyword(const Value& value, const Value& schema, const std::string& keyword, const Value& argument,
                     const std::string& path) {
    static const std::set<std::string> silent = {"$schema", "title", "description", "definitions"};
    if (silent.contains(keyword)) return;
    if (keyword == "$ref") return check(value, resolve(text_of(argument)), path);
    if (keyword == "type") return check_type(value, argument, path);
    if (keyword == "const") return expect(value == argument, path, "is not " + to_json(argument));
    if (keyword == "enum") return check_enum(value, argument, path);
    if (keyword == "minimum") return check_minimum(value, argument, path);
    if (keyword == "pattern") return check_pattern(value, argument, path);
    if (keyword == "properties") return check_properties(value, schema, path);
    if (keyword == "required") return check_required(value, argument, path);
    if (keyword == "items") return check_items(value, argument, path);
    // check_properties refuses other members in any case.
    if (keyword == "additionalProperties") return expect(argument == Value{false}, path, "is open in the schema");
    if (keyword == "anyOf") return check_any_of(value, argument, path);
    fault(path, "the validator does not know the keyword " + keyword);
  }

  void expect(bool holds, const std::string& path, const std::string& reason) {
    if (!holds) fault(path, reason);
  }

  void check_type(const Value& value, const Value& argument, const std::string& path) {
    const auto* const list = std::get_if<ValueList>(&argument.data);
    const bool fits = list == nullptr ? is_type(value, text_of(argument))
                                      : std::any_of(list->begin(), list->end(),
                                                    [&](const Value& t) { return is_type(value, text_of(t)); });
    expect(fits, path, std::string(type_name(value)) + " instead of " + to_json(argument));
  }

  void check_enum(const Value& value, const Value& argument, const std::string& path) {
    const auto& list = std::get<ValueList>(argument.data);
    expect(std::find(list.begin(), list.end(), value) != list.end(), path,
           to_json(value) + " is not one of " + to_json(argument));
  }

  void check_minimum(const Value& value, const Value& argument, const std::string& path) {
    expect(!is_type(value, "number") || number_of(value) >= number_of(argument), path,
           "is less than " + to_json(argument));
  }

  void check_pattern(const Value& value, const Value& argument, const std::string& path) {
    const bool fits = !is_type(value, "string") || std::regex_search(text_of(value), std::regex(text_of(argument)));
    expect(fits, path, "does not match " + to_json(argument));
  }

  void check_properties(const Value& value, const Value& schema, const std::string& path) {
    const auto* const members = std::get_if<ValueObject>(&value.data);
    if (members == nullptr) return;
    const auto& properties = object_of(*find(object_of(schema), "properties"));
    for (const auto& [name, member] : *members) {
      const Value* const described = find(properties, name);
      if (described == nullptr) {
        fault(path + "/" + name, "is not in the schema");
      } else {
        check(member, *described, path + "/" + name);
      }
    }
  }

  void check_required(const Value& value, const Value& argument, const std::string& path) {
    const auto* const members = std::get_if<ValueObject>(&value.data);
    if (members == nullptr) return;
    for (const Value& name : std::get<ValueList>(argument.data))
      expect(find(*members, text_of(name)) != nullptr, path, "lacks " + text_of(name));
  }

  void check_items(const Value& value, const Value& argument, const std::string& path) {
    const auto* const list = std::get_if<ValueList>(&value.data);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->size(); ++i) check((*list)[i], argument, path + "/" + std::to_string(i));
  }

  std::vector<std::string> faults_;
};

}  // namespace

Value load_schema(const std::string& name) { return schema_file(name + ".schema.json"); }

std::vector<std::string> validate(const Value& document, const Value& schema) {
  return Validator().run(document, schema);
}

}  // namespace tpsim::test
