#include "tests/equivalence/recording.h"

namespace tpsim {
namespace {

Shape shape_of(const Value& extents) {
  Shape shape;
  for (const auto& extent : std::get<ValueList>(extents.data)) shape.push_back(integer(extent));
  return shape;
}

bool is_true(const Value* value) { return value != nullptr && value->data == Value{true}.data; }

std::map<std::string, Shape> shapes(const Value& named) {
  std::map<std::string, Shape> all;
  for (const auto& [name, shape] : object(named)) all[name] = shape_of(shape);
  return all;
}

LocalShapes local_shapes(const Value& parameters, int ranks) {
  LocalShapes all;
  for (const auto& [name, entry] : object(parameters)) {
    auto& of_ranks = all[name];
    if (const auto* each = find(object(entry), "local_shapes"))
      for (const auto& shape : std::get<ValueList>(each->data)) of_ranks.push_back(shape_of(shape));
    else
      of_ranks.assign(static_cast<std::size_t>(ranks), shape_of(member(entry, "local_shape")));
  }
  return all;
}

std::vector<RecordedEvent> events_of(const Value& list) {
  std::vector<RecordedEvent> events;
  for (const auto& event : std::get<ValueList>(list.data)) {
    const auto* module = find(object(event), "module");
    events.push_back(
        {text(member(event, "op")), integer(member(event, "numel")), module == nullptr ? "" : text(*module)});
  }
  return events;
}

EventCounts counts_of(const Value& list) {
  EventCounts counts;
  for (const auto& event : events_of(list)) ++counts[{event.op, event.numel}];
  return counts;
}

RecordedRun run_of(const std::string& name, const Value& value) {
  const ValueObject& fields = object(value);
  RecordedRun run;
  run.name = name;
  run.tp = ranks_of(name);
  if (name.starts_with("ep/")) run.ep = run.tp;
  run.verdict = is_true(find(fields, "right")) ? Verdict::right : Verdict::wrong;
  if (const auto* v = find(fields, "error")) {
    run.verdict = Verdict::error;
    run.error = text(*v);
  }
  if (const auto* v = find(fields, "plan_given")) run.plan = plan_of(*v);
  const auto* complete = find(fields, "ranks_with_params");
  if (const auto* v = find(fields, "params"); v != nullptr && (complete == nullptr || integer(*complete) == run.tp))
    run.local = local_shapes(*v, run.tp);
  if (const auto* v = find(fields, "logits_shape")) run.logits = shape_of(*v);
  if (const auto* v = find(fields, "forward")) run.forward = events_of(*v);
  if (find(fields, "train_error") != nullptr) return run;
  if (const auto* v = find(fields, "train_forward")) run.train_forward = events_of(*v);
  if (const auto* v = find(fields, "backward")) run.backward = counts_of(*v);
  return run;
}

// Not where the failure says nothing about the plan (a kernel's alignment limit), or the ranks waited for each other.
bool is_comparable(const Value& run) {
  if (find(object(run), "error_kind") != nullptr) return false;
  const auto* error = find(object(run), "error");
  if (error == nullptr) return true;
  return text(*error) != "hang" && text(*error).find("multiple of 16 bytes") == std::string::npos;
}

}  // namespace

RecordedCase read_raw_recording(const Value& content) {
  RecordedCase recording;
  recording.model = text(member(content, "model"));
  recording.dialect = *parse_dialect(text(member(content, "transformers")));
  recording.config = to_json(member(content, "config"));
  const auto* given = find(object(content), "given");
  recording.base_plan = given != nullptr && text(*given).starts_with("as base_model_tp_plan");
  recording.parameters = shapes(member(content, "parameters"));
  if (const auto* disk = find(object(content), "checkpoint")) recording.checkpoint = shapes(*disk);
  for (const auto& [name, run] : object(member(content, "runs")))
    if (is_comparable(run)) recording.runs.push_back(run_of(name, run));
  return recording;
}

}  // namespace tpsim
