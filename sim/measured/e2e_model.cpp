#include "sim/measured/e2e_model.h"

#include <algorithm>
#include <charconv>

#include "core/architecture.h"
#include "core/characters.h"
#include "core/config.h"
#include "core/data.h"
#include "core/json.h"
#include "core/model_source.h"

namespace tpsim {
namespace {

constexpr std::string_view kArchitectures = "sim/measured/architectures.json";
constexpr std::string_view kGpus = "sim/measured/gpus.json";

// Of a data file that the build embeds; its form is checked by a test.
const ValueObject& data_object(std::string_view path) {
  static std::map<std::string, Value, std::less<>> files;
  auto it = files.find(path);
  if (it == files.end()) {
    const auto text = find_data(path);
    auto value = text ? parse_json(*text, data_origin(path)) : Result<Value>(input_error("no data"));
    it = files.emplace(std::string(path), value ? std::move(*value) : Value{ValueObject{}}).first;
  }
  static const ValueObject none;
  const auto* object = std::get_if<ValueObject>(&it->second.data);
  return object == nullptr ? none : *object;
}

const ValueObject* object_in(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  return value == nullptr ? nullptr : std::get_if<ValueObject>(&value->data);
}

std::string text_in(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->data);
  return text == nullptr ? std::string() : *text;
}

std::int64_t number_in(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(&value->data);
  return number == nullptr ? 0 : *number;
}

std::string parameter(const E2eRow& row, const std::string& key) {
  const auto it = row.model_params.find(key);
  return it == row.model_params.end() ? std::string() : it->second;
}

std::int64_t parameter_number(const E2eRow& row, const std::string& key) {
  const std::string text = parameter(row, key);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool has_experts(const E2eRow& row) { return parameter_number(row, "E") > 1; }

// The entry of the row's architecture, or that of a model with the same parts.
const ValueObject* architecture_entry(const E2eRow& row) {
  const ValueObject& data = data_object(kArchitectures);
  const ValueObject* all = object_in(data, "architectures");
  const ValueObject* substitutes = object_in(data, "without_arch");
  if (all == nullptr || substitutes == nullptr) return nullptr;
  const ValueObject* entry = object_in(*all, parameter(row, "arch"));
  if (entry == nullptr) {
    const bool gated = parameter(row, "act").starts_with("swiglu") || parameter(row, "act").starts_with("geglu");
    entry = object_in(*all, text_in(*substitutes, has_experts(row) ? "experts" : gated ? "gated" : "plain"));
  }
  if (entry != nullptr && find(*entry, "extends") != nullptr) entry = object_in(*all, text_in(*entry, "extends"));
  return entry;
}

std::string field_name(const ValueObject& entry, const std::string& key) {
  if (const auto* own = object_in(entry, "fields"); own != nullptr && find(*own, key) != nullptr)
    return text_in(*own, key);
  const auto* common = object_in(data_object(kArchitectures), "fields");
  return common == nullptr ? std::string() : text_in(*common, key);
}

// A vocabulary for runs without a head: small enough to take no time, and divisible.
constexpr std::int64_t kNoVocabulary = 1024;

Result<Value> config_value(const E2eRow& row, const ValueObject& entry) {
  ValueObject config = {{"model_type", Value{text_in(entry, "model_type")}}};
  for (const auto* key : {"h", "L", "a"})
    if (parameter_number(row, key) <= 0)
      return input_error("model_params gives no " + std::string(key) + " (hidden size, layers, heads)");
  for (const auto& [key, text] : row.model_params) {
    const std::string field = field_name(entry, key);
    const std::int64_t value = parameter_number(row, key);
    if (field.empty() || (value <= 0 && key != "V")) continue;
    config.emplace_back(field, Value{value == 0 ? kNoVocabulary : value});
  }
  if (parameter(row, "tied") == "1") config.emplace_back("tie_word_embeddings", Value{true});
  if (const std::int64_t window = parameter_number(row, "window"); window > 0)
    config.emplace_back("sliding_window", Value{window});
  if (const auto* more = object_in(entry, "config"))
    for (const auto& [key, value] : *more) config.emplace_back(key, value);
  return Value{std::move(config)};
}

PlanChoice plan_of(const ValueObject& entry) {
  PlanChoice choice;
  const auto* rules = object_in(entry, "plan");
  if (rules == nullptr) return choice;
  choice.kind = PlanKind::manual;
  choice.plan.name = "Megatron";
  for (const auto& [key, strategy] : *rules)
    if (const auto* text = std::get_if<std::string>(&strategy.data)) choice.plan.rules.push_back({key, *text, {}, {}});
  return choice;
}

Result<E2eModel> make_model(const Config& config, const Dialect& dialect) {
  const auto architecture = load_architecture(config.model_type, dialect);
  if (!architecture) return architecture.error();
  auto model = build_model(*architecture, config);
  if (!model) return model.error();
  E2eModel made;
  made.model = std::move(*model);
  made.dialect = dialect;
  return made;
}

// A run that names a public model and gives no sizes.
Result<E2eModel> known_model(const E2eRow& row) {
  const auto source = open_model(row.model);
  if (!source) return source.error();
  if (!source->config) return input_error("no configuration of " + row.model);
  return make_model(*source->config, kNewestDialect);
}

Result<E2eModel> described_model(const E2eRow& row) {
  const ValueObject* entry = architecture_entry(row);
  if (entry == nullptr) return input_error("no architecture for model_params");
  auto value = config_value(row, *entry);
  if (!value) return value.error();
  const auto config = read_config(to_json(*value), row.model);
  if (!config) return config.error();
  const std::string dialect_name = text_in(*entry, "dialect");
  const auto dialect = dialect_name.empty() ? Result<Dialect>(kNewestDialect) : parse_dialect(dialect_name);
  if (!dialect) return dialect.error();
  auto made = make_model(*config, *dialect);
  if (!made) return made.error();
  made->plan = plan_of(*entry);
  made->layers = parameter_number(row, "L");
  made->has_head = parameter(row, "V") != "0";
  made->extra_all_reduces = static_cast<double>(number_in(*entry, "all_reduces_per_layer"));
  made->extra_bytes = number_in(*entry, "all_reduce_bytes_per_token");
  return made;
}

std::string key_of(const E2eRow& row) {
  std::string key = row.model;
  for (const auto& [name, value] : row.model_params) key += ";" + name + "=" + value;
  return key;
}

// A pass whose sizes divide well and whose context is beyond every window.
Workload reference_workload() {
  Workload w;
  w.batch = 64;
  w.tokens = 1;
  w.past = std::int64_t{1} << 20;
  w.all_logits = false;
  return w;
}

Result<Analysis> make_analysis(const E2eModel& model, const E2eRow& row) {
  AnalysisRequest request;
  request.dialect = model.dialect;
  request.parallelism.tp = row.tp;
  request.workload = reference_workload();
  request.plan = model.plan;
  if (row.tp == 1) {
    request.plan = {};
    request.plan.kind = PlanKind::none;
  }
  auto analysis = analyze(model.model, request);
  if (!analysis) return analysis.error();
  if (!analysis->complete || analysis->verdict == Verdict::error || analysis->verdict == Verdict::unknown) {
    const auto reason =
        analysis->verdict_reasons.empty() ? std::string() : " (" + analysis->verdict_reasons.front() + ")";
    return input_error("the plan stops the forward pass at TP " + std::to_string(row.tp) + reason);
  }
  return analysis;
}

}  // namespace

Result<const E2eModel*> E2eModels::model_of(const E2eRow& row) {
  auto& slot = models_[key_of(row)];
  if (!slot)
    slot = std::make_unique<Result<E2eModel>>(row.model_params.contains("h") ? described_model(row) : known_model(row));
  if (!*slot) return slot->error();
  return static_cast<const E2eModel*>(&**slot);
}

Result<const Analysis*> E2eModels::analysis_of(const E2eRow& row) {
  const auto model = model_of(row);
  if (!model) return model.error();
  auto& slot = analyses_[{key_of(row), row.tp}];
  if (!slot) slot = std::make_unique<Result<Analysis>>(make_analysis(**model, row));
  if (!*slot) return slot->error();
  return static_cast<const Analysis*>(&**slot);
}

Result<Precision> precision_of(const E2eRow& row) {
  const std::string text = lower(row.dtype);
  const auto says = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  Precision p;
  if (says("mxfp4")) {
    p.experts = DType::mxfp4;
  } else if (says("nvfp4") || text.starts_with("fp4")) {
    p.experts = p.linear = DType::mxfp4;
    p.four_bit_products = true;
  } else if (text.starts_with("fp8") || text.starts_with("mxfp8")) {
    p.experts = p.linear = DType::fp8;
    const ValueObject* const entry = architecture_entry(row);
    p.block_scaled = says("block") || (entry != nullptr && number_in(*entry, "fp8_blocks") > 0);
    if (says("kv")) p.kv_cache = DType::fp8;
  } else if (says("int8")) {
    p.experts = p.linear = DType::int8;
  } else if (says("int4")) {
    p.experts = p.linear = DType::int4;
  } else if (says("fp32") || says("float32")) {
    p.experts = p.linear = p.head = p.activations = p.kv_cache = DType::fp32;
  } else if (!says("bf16") && !says("fp16") && !text.empty()) {
    return input_error("dtype \"" + row.dtype + "\" is not known");
  } else if (text.starts_with("fp16")) {
    p.experts = p.linear = p.head = p.activations = p.kv_cache = DType::fp16;
  }
  return p;
}

Result<std::string> hardware_name_of(std::string_view gpu) {
  const std::string name = lower(gpu);
  const Value* list = find(data_object(kGpus), "gpus");
  if (list != nullptr && std::holds_alternative<ValueList>(list->data)) {
    for (const Value& value : std::get<ValueList>(list->data)) {
      const auto* entry = std::get_if<ValueObject>(&value.data);
      const Value* parts = entry == nullptr ? nullptr : find(*entry, "parts");
      if (parts == nullptr || !std::holds_alternative<ValueList>(parts->data)) continue;
      const auto& needed = std::get<ValueList>(parts->data);
      const bool all = std::all_of(needed.begin(), needed.end(), [&](const Value& part) {
        const auto* text = std::get_if<std::string>(&part.data);
        return text != nullptr && name.find(*text) != std::string::npos;
      });
      if (all) return text_in(*entry, "hardware");
    }
  }
  const auto names = hardware_names();
  if (std::find(names.begin(), names.end(), name) != names.end()) return name;
  return input_error("no hardware profile for GPU \"" + std::string(gpu) + "\"");
}

}  // namespace tpsim
