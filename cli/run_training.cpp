#include "cli/run_training.h"

#include <algorithm>

#include "cli/run_values.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

using exec::GradientError;

// "model.layers.17.mlp" -> "model.layers.*.mlp".
std::string without_indices(const std::string& name) {
  std::string pattern;
  for (std::size_t i = 0; i < name.size();) {
    std::size_t end = i;
    while (end < name.size() && name[end] >= '0' && name[end] <= '9') ++end;
    const bool index = end > i && (i == 0 || name[i - 1] == '.') && (end == name.size() || name[end] == '.');
    pattern += index ? "*" : name.substr(i, std::max<std::size_t>(1, end - i));
    i = std::max(end, i + 1);
  }
  return pattern;
}

double badness(const GradientError& e) {
  if (!e.error || !e.error->finite) return 1e300;
  return e.band > 0 ? e.error->max_abs / e.band : e.error->max_abs;
}

struct Group {
  std::string pattern;
  std::int64_t count = 0, outside = 0;
  GradientError worst;
};

std::vector<Group> groups_of(const std::vector<GradientError>& gradients) {
  std::vector<Group> groups;
  for (const GradientError& gradient : gradients) {
    const std::string pattern = without_indices(gradient.parameter);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.pattern == pattern; });
    if (group == groups.end()) group = groups.insert(groups.end(), {pattern, 0, 0, gradient});
    ++group->count;
    if (!gradient.inside) ++group->outside;
    if (badness(gradient) > badness(group->worst)) group->worst = gradient;
  }
  return groups;
}

Row group_row(const Group& group) {
  Row row;
  row.cells = {cell(group.pattern), cell(group.count)};
  if (!group.worst.error) {
    row.note = "no gradient, or of another shape than the unsharded model's";
    return row;
  }
  const exec::ErrorSize& error = *group.worst.error;
  for (const double value : {error.max_abs, error.max_rel, error.rms, group.worst.band})
    row.cells.push_back(cell(value, kErrorDecimals, size_text(value)));
  row.cells.push_back(
      cell(std::string(group.outside == 0 ? "yes" : "NO"), group.outside == 0 ? Style::plain : Style::bold));
  return row;
}

std::int64_t outside(const std::vector<GradientError>& gradients) {
  return std::count_if(gradients.begin(), gradients.end(), [](const auto& g) { return !g.inside; });
}

const GradientError* worst_of(const std::vector<GradientError>& gradients) {
  const auto worst = std::max_element(gradients.begin(), gradients.end(),
                                      [](const auto& a, const auto& b) { return badness(a) < badness(b); });
  return worst == gradients.end() ? nullptr : &*worst;
}

void write_gradient(JsonWriter& json, const GradientError& gradient) {
  json.begin_object();
  json.member("parameter", gradient.parameter);
  json.member("band", gradient.band, kErrorDecimals);
  json.member("inside", gradient.inside);
  write_error(json, "found", gradient.error);
  json.end_object();
}

void write_comparison(JsonWriter& json, std::string_view name, const std::vector<GradientError>& gradients,
                      bool parameters) {
  json.key(name);
  json.begin_object();
  json.member("compared", static_cast<std::int64_t>(gradients.size()));
  json.member("outside", outside(gradients));
  json.key("worst");
  if (const GradientError* worst = worst_of(gradients))
    write_gradient(json, *worst);
  else
    json.null();
  if (parameters) {
    json.key("parameters");
    json.begin_array();
    for (const GradientError& gradient : gradients) write_gradient(json, gradient);
    json.end_array();
  }
  json.end_object();
}

}  // namespace

Table gradient_table(const exec::RunOutcome& outcome) {
  Table table;
  if (outcome.verdict == Verdict::error) return table;
  table.columns = {
      {"parameter", "gradient of", false, 0}, {"count", "count", true, 80}, {"max_abs", "max abs", true, 0},
      {"max_rel", "max rel", true, 80},       {"rms", "rms", true, 80},     {"band", "band", true, 0},
      {"inside", "inside", false, 0}};
  for (const Group& group : groups_of(outcome.training->gradients)) table.rows.push_back(group_row(group));
  return table;
}

std::string training_verdict(const exec::RunOutcome& outcome) {
  if (outcome.verdict == Verdict::right) return "RIGHT: every rank's gradients are those of the unsharded model";
  const auto& gradients = outcome.training->gradients;
  const std::int64_t off = outside(gradients);
  if (off == 0) return "WRONG: the sharded run gives other numbers";
  return "WRONG: " + std::to_string(off) + " of " + std::to_string(gradients.size()) +
         " gradients are not those of the unsharded model";
}

std::vector<std::string> training_notes(const exec::RunOutcome& outcome) {
  std::vector<std::string> notes;
  const exec::TrainingOutcome& training = *outcome.training;
  if (!training.unsharded_vs_reference.empty()) {
    const GradientError* worst = worst_of(training.unsharded_vs_reference);
    notes.push_back(
        "unsharded run against the real gradients: " +
        std::to_string(std::ssize(training.unsharded_vs_reference) - outside(training.unsharded_vs_reference)) +
        " of " + plural(std::ssize(training.unsharded_vs_reference), "parameter") + " inside the band; worst " +
        worst->parameter + (worst->error ? ", max rel " + size_text(worst->error->max_rel) : ", of another shape"));
  }
  if (outcome.verdict == Verdict::error) return notes;
  notes.push_back("loss mean(logits^2): " + size_text(training.loss) + ", unsharded " +
                  size_text(training.unsharded_loss));
  if (training.first_divergent)
    notes.push_back("first gradient outside its band on the way back: " + training.first_divergent->parameter);
  notes.push_back(plural(std::ssize(training.backward), "collective") + " executed backward, " +
                  (training.backward_as_analysed ? "the same as analysed" : "NOT those of the analysis"));
  return notes;
}

void write_training(JsonWriter& json, const exec::RunOutcome& outcome, bool parameters) {
  const exec::TrainingOutcome& training = *outcome.training;
  json.key("train");
  json.begin_object();
  json.member("verdict", to_string(outcome.verdict));
  json.member("loss", training.loss, kErrorDecimals);
  json.member("unsharded_loss", training.unsharded_loss, kErrorDecimals);
  json.key("reference_loss");
  if (training.reference_loss)
    json.value(*training.reference_loss, kErrorDecimals);
  else
    json.null();
  write_comparison(json, "unsharded_vs_reference", training.unsharded_vs_reference, parameters);
  write_comparison(json, "sharded_vs_unsharded", training.gradients, parameters);
  json.key("first_divergent");
  if (training.first_divergent)
    write_gradient(json, *training.first_divergent);
  else
    json.null();
  json.member("backward_as_analysed", training.backward_as_analysed);
  write_events(json, "backward", training.backward);
  json.member("memory_bytes", training.memory_bytes);
  json.end_object();
}

}  // namespace tpsim::cli
