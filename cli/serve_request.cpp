#include "cli/serve_request.h"

#include <algorithm>
#include <array>

#include "cli/flags.h"
#include "cli/text.h"
#include "core/json.h"
#include "core/suggest.h"
#include "core/value.h"

namespace tpsim::cli {
namespace {

constexpr JsonLimits kLimits{64, 16u << 20, 1'000'000};
constexpr char kProtocol[] = "tpsim.serve/1";

// Whose place an object of the request can take.
constexpr std::array<std::string_view, 5> kInputs = {"model", "plan", "ep-plan", "strategy-file", "hw"};
// About files and terminals, which answers know nothing of.
constexpr std::array<std::string_view, 11> kElsewhere = {"output", "format",    "json",  "help",    "version",  "color",
                                                         "width",  "no-header", "quiet", "verbose", "exit-zero"};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Error unknown_parameter(const std::string& name) {
  std::vector<std::string> names;
  for (const Flag& flag : all_flags())
    if (!contains(kElsewhere, flag.name)) names.emplace_back(flag.name);
  Error error = usage_error("unknown parameter \"" + name + "\"");
  const auto near = nearest(name, names);
  if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
  error.fixes = {"parameters are the long flags of the command, args its other words"};
  return error;
}

Error wrong_kind(const std::string& name, const Value& value, const char* wanted) {
  return usage_error("parameter \"" + name + "\" is " + type_name(value) + " and should be " + wanted);
}

// 8, 0.5, "a", and lists of them: "1,2,4".
std::optional<std::string> value_text(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  if (std::holds_alternative<std::int64_t>(value.data) || std::holds_alternative<double>(value.data))
    return to_json(value);
  const auto* list = std::get_if<ValueList>(&value.data);
  if (list == nullptr) return std::nullopt;
  std::vector<std::string> parts;
  for (const Value& element : *list) {
    const auto part = std::holds_alternative<ValueList>(element.data) ? std::nullopt : value_text(element);
    if (!part) return std::nullopt;
    parts.push_back(*part);
  }
  return joined(parts, ",");
}

class Reader {
public:
  explicit Reader(ServeRequest& request) : request_(request) {}

  Result<void> read(std::string_view line) {
    const auto json = parse_json(line, "request", kLimits);
    if (!json) return usage_error(json.error().message);
    const auto* object = std::get_if<ValueObject>(&json->data);
    if (object == nullptr) return usage_error(std::string("a request is an object, not ") + type_name(*json));
    if (auto named = read_id(*object); !named) return named;
    for (const auto& [key, value] : *object)
      if (auto taken = take_member(key, value); !taken) return taken;
    if (request_.method.empty()) return without_method();
    return {};
  }

private:
  Result<void> read_id(const ValueObject& object) {
    const Value* const id = find(object, "id");
    if (id == nullptr) return {};
    const bool plain = id->is_null() || std::holds_alternative<std::int64_t>(id->data) ||
                       std::holds_alternative<std::string>(id->data);
    if (!plain) return usage_error(std::string("\"id\" is ") + type_name(*id) + "; give an integer or a string");
    request_.id = to_json(*id);
    return {};
  }

  static Error without_method() {
    Error error = usage_error("the request has no \"method\"");
    error.fixes = {R"({"id": 1, "method": "predict", "params": {"model": "llama-3.1-8b", "tp": 2}})"};
    return error;
  }

  Result<void> take_member(const std::string& key, const Value& value) {
    if (key == "id") return {};
    if (key == "schema") return check_protocol(value);
    if (key == "method") return take_method(value);
    if (key == "params") return take_parameters(value);
    return usage_error("\"" + key + "\" is no member of a request; there are schema, id, method and params");
  }

  static Result<void> check_protocol(const Value& value) {
    const auto* text = std::get_if<std::string>(&value.data);
    if (text != nullptr && *text == kProtocol) return {};
    return usage_error("this tpsim speaks " + std::string(kProtocol) + ", not " + to_json(value));
  }

  Result<void> take_method(const Value& value) {
    const auto* text = std::get_if<std::string>(&value.data);
    if (text == nullptr) return usage_error(std::string("\"method\" is ") + type_name(value) + ", not a string");
    request_.method = *text == "analyze" ? "report" : *text;
    std::replace(request_.method.begin(), request_.method.end(), '.', ' ');
    if (contains(serve_methods(), request_.method)) return {};
    Error error = usage_error("no method \"" + *text + "\"");
    const auto near = nearest(*text, serve_methods());
    if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
    error.fixes = {R"({"method": "hello"} lists the methods)"};
    return error;
  }

  Result<void> take_parameters(const Value& value) {
    const auto* object = std::get_if<ValueObject>(&value.data);
    if (object == nullptr) return usage_error(std::string("\"params\" is ") + type_name(value) + ", not an object");
    for (const auto& [key, member] : *object)
      if (auto taken = take_parameter(key, member); !taken) return taken;
    return {};
  }

  Result<void> take_parameter(const std::string& key, const Value& value) {
    if (key == "args") return take_operands(value);
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', '-');
    const Flag* const flag = find_flag(name);
    if (flag == nullptr) return unknown_parameter(key);
    if (contains(kElsewhere, flag->name))
      return usage_error("\"" + key + "\" is about files and terminals; answers are JSON on standard output");
    if (value.is_null()) return {};
    if (flag->value.empty()) return take_switch(*flag, value);
    if (flag->name == "set") return take_settings(value);
    return take_value(*flag, value);
  }

  Result<void> take_operands(const Value& value) {
    const auto* list = std::get_if<ValueList>(&value.data);
    if (list == nullptr) return wrong_kind("args", value, "a list of strings");
    for (const Value& element : *list) {
      const auto* text = std::get_if<std::string>(&element.data);
      if (text == nullptr) return wrong_kind("args", element, "a list of strings");
      operands_.push_back(*text);
    }
    return {};
  }

  Result<void> take_switch(const Flag& flag, const Value& value) {
    const auto* truth = std::get_if<bool>(&value.data);
    if (truth == nullptr) return wrong_kind(std::string(flag.name), value, "true or false");
    if (*truth) request_.arguments.push_back("--" + std::string(flag.name));
    return {};
  }

  Result<void> take_settings(const Value& value) {
    const auto* object = std::get_if<ValueObject>(&value.data);
    if (object == nullptr) return wrong_kind("set", value, "an object of config fields");
    for (const auto& [field, setting] : *object) {
      const auto* text = std::get_if<std::string>(&setting.data);
      request_.arguments.push_back("--set=" + field + "=" + (text != nullptr ? *text : to_json(setting)));
    }
    return {};
  }

  Result<void> take_value(const Flag& flag, const Value& value) {
    const std::string name(flag.name);
    const bool is_input = contains(kInputs, flag.name);
    if (is_input && std::holds_alternative<ValueObject>(value.data)) {
      request_.texts[name] = to_json(value);
      request_.arguments.push_back("--" + name + "=(request)");
      return {};
    }
    const auto text = value_text(value);
    if (!text)
      return wrong_kind(name, value, is_input ? "a name, a path or an object" : "a number, a string or a list");
    if (*text == "-") return usage_error("\"" + name + "\" cannot be standard input, which holds the requests");
    request_.arguments.push_back("--" + name + "=" + *text);
    return {};
  }

public:
  // Behind a "--", so that no word is taken for a flag.
  void put_operands() {
    if (operands_.empty()) return;
    request_.arguments.emplace_back("--");
    request_.arguments.insert(request_.arguments.end(), operands_.begin(), operands_.end());
  }

private:
  ServeRequest& request_;
  std::vector<std::string> operands_;
};

}  // namespace

const std::vector<std::string>& serve_methods() {
  static const std::vector<std::string> methods = {
      "hello",           "predict",     "report",        "fit",           "check",
      "plan show",       "shard",       "memory",        "comm",          "redistribute",
      "models list",     "models show", "hardware list", "hardware show", "strategies list",
      "strategies show", "explain"};
  return methods;
}

ServeRequest read_request(std::string_view line) {
  ServeRequest request;
  Reader reader(request);
  if (auto read = reader.read(line); !read) request.error = read.error();
  reader.put_operands();
  return request;
}

}  // namespace tpsim::cli
