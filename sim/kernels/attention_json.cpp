#include "sim/kernels/attention.h"
#include "sim/kernels/kernel_json.h"

namespace tpsim {
namespace {

constexpr AttentionKind kKinds[] = {AttentionKind::prefill, AttentionKind::decode, AttentionKind::latent_prefill,
                                    AttentionKind::latent_decode};
constexpr ContextSplits kSplits[] = {ContextSplits::always, ContextSplits::grouped, ContextSplits::never};

std::vector<AttentionConstantField> fields_of(AttentionKind kind) {
  std::vector<AttentionConstantField> fields;
  for (const AttentionConstantField& f : attention_constant_fields())
    if (is_decode(kind) ? f.decode : f.prefill) fields.push_back(f);
  return fields;
}

Value model_value(const AttentionModel& model) {
  ValueObject object{{"kernel", Value{model.kernel}},
                     {"kind", Value{std::string(to_string(model.kind))}},
                     {"cache", Value{model.cache}},
                     {"key_dim", shortened(model.key_dim)},
                     {"windowed", Value{model.windowed}},
                     {"tile", shortened(model.tile)},
                     {"splits", Value{std::string(to_string(model.splits))}}};
  add_fitted(object, model, fields_of(model.kind));
  return Value{std::move(object)};
}

template <class Enum, std::size_t N>
Enum read_enum(ObjectReader& reader, const char* name, const Enum (&all)[N]) {
  const std::string text = reader.text(name);
  for (Enum e : all)
    if (text == to_string(e)) return e;
  std::string names;
  for (Enum e : all) names += (names.empty() ? "" : ", ") + std::string(to_string(e));
  reader.fail("\"" + std::string(name) + "\" is \"" + text + "\" (one of " + names + ")");
  return all[0];
}

Result<AttentionModel> read_model(const Value& value, const std::string& where) {
  ObjectReader reader(value, where);
  AttentionModel model;
  model.kernel = reader.text("kernel");
  model.kind = read_enum(reader, "kind", kKinds);
  model.cache = reader.text("cache");
  model.key_dim = reader.number("key_dim", 1, 1e5);
  model.windowed = reader.flag("windowed");
  model.tile = reader.number("tile", 1, 4096);
  model.splits = read_enum(reader, "splits", kSplits);
  if (auto ok = read_fitted(reader, where, model, fields_of(model.kind), 4); !ok) return ok.error();
  return model;
}

}  // namespace

Value to_value(const AttentionCalibration& calibration) {
  ValueList models;
  for (const AttentionModel& model : calibration.models) models.push_back(model_value(model));
  return Value{ValueObject{{"models", Value{std::move(models)}}}};
}

Result<AttentionCalibration> read_attention_calibration(const Value& value, const std::string& family) {
  auto models = read_models<AttentionModel>(value, family, read_model);
  if (!models) return models.error();
  return AttentionCalibration{std::move(*models)};
}

}  // namespace tpsim
