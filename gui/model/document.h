// The one document that the visualizer edits: everything that decides what is on screen but its arrangement.
// Saved as *.tpsim.json (docs/schema/project.schema.json).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "core/result.h"

namespace tpsim::gui {

struct PlanEntry {
  std::string name = "auto";    // shown
  std::string source = "auto";  // as --plan takes it: "auto", "none", "builtin:TYPE", a file
  std::string text;             // of a plan that was edited or read: what is analysed; empty = what `source` names
  bool base_plan = false;       // keys relative to the base model
  bool operator==(const PlanEntry&) const = default;
};

// Names and defaults are those of the command line's flags.
struct Document {
  std::string model;  // "" = the start page
  std::vector<std::string> set;
  std::vector<PlanEntry> plans = {PlanEntry{}};
  int edited = 0, baseline = 0;  // indices into plans: A and B
  std::string hardware = "h100-sxm", stack = "forward", link, profile;
  std::vector<std::string> hardware_set;  // constants of one's own: "memory_bandwidth=3.9 TB/s"
  int tp = 4, ep = 1;
  std::optional<int> baseline_tp;  // B at another size, or on other hardware
  std::string baseline_hardware;
  Dialect dialect = kNewestDialect;
  cli::Phase phase = cli::Phase::both;
  std::optional<std::int64_t> batch, prompt, context;
  std::optional<DType> dtype, kv_dtype;
  std::vector<std::string> suppressed;  // "TP202 model.embed_tokens"
  std::string notes;
  bool operator==(const Document&) const = default;

  const PlanEntry& plan_a() const { return plans[static_cast<std::size_t>(edited)]; }
  const PlanEntry& plan_b() const { return plans[static_cast<std::size_t>(baseline)]; }
};

enum class Side { a, b };

// The flags that ask the command line the same question. The text of an edited plan is not part of them.
cli::Options options_of(const Document& document, Side side);
// What a command line asks for; errors: several --tp, training.
Result<Document> document_of(const cli::Options& options);
// "tpsim report -m ... -p plan.json --tp 4": the same numbers on the command line. An edited plan is named by
// `plan_file`, edited hardware by "hardware.json" (both as the export panel writes them).
std::string command_line(const Document& document, Side side, const std::string& plan_file);

std::string to_json(const Document& document);
// Errors: not JSON, not a project, values that the flag of that name would refuse.
Result<Document> read_document(std::string_view text, const std::string& file);

}  // namespace tpsim::gui
