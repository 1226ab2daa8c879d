#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/module_match.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/shard_text.h"
#include "cli/sizes.h"
#include "cli/text.h"
#include "cli/verbose.h"
#include "core/suggest.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kMaxSections = 20;

struct Section {
  std::string name;
  const ShardSpec* spec = nullptr;
  Heads heads;
};

std::string section_heading(const Section& section) {
  const ShardSpec& spec = *section.spec;
  std::string text = section.name + "   " + spaced_shape(spec.shape) + " " + to_string(spec.dtype) + "   " +
                     (spec.rule < 0 ? "no rule" : spec.strategy) + " -> " + to_string(spec.placement);
  if (section.heads.count > 0) {
    text += "   " + std::to_string(section.heads.count) + " " + section.heads.label + " x " +
            std::to_string(section.heads.size);
  }
  if (section.name.find('*') != std::string::npos) text += "   (" + grouped(spec.count) + " alike)";
  return text;
}

// One character per piece of the cut dimension: which rank holds it. "|0000|1111|2222|3333|"
std::string picture(const ShardSpec& spec, std::size_t width) {
  const int dim = cut_dim(spec.placement);
  const std::int64_t extent = dim < 0 ? 0 : spec.shape[dim];
  if (extent == 0 || spec.ranks.size() > 36) return {};
  const auto cells = static_cast<std::int64_t>(width);
  std::string bar(width, '.');
  for (std::size_t rank = 0; rank < spec.ranks.size(); ++rank)
    for (const Range& r : spec.ranks[rank].ranges)
      for (std::int64_t i = r.begin * cells / extent; i < r.end * cells / extent; ++i) {
        bar[static_cast<std::size_t>(i)] = "0123456789abcdefghijklmnopqrstuvwxyz"[rank];
      }
  std::string marked = "|";
  for (std::size_t i = 0; i < bar.size(); ++i) {
    marked += bar[i];
    if (i + 1 == bar.size() || bar[i + 1] != bar[i]) marked += '|';
  }
  return marked;
}

void add_rows(Table& table, const Section& section) {
  const ShardSpec& spec = *section.spec;
  for (std::size_t rank = 0; rank < spec.ranks.size(); ++rank) {
    const RankShard& shard = spec.ranks[rank];
    Row row;
    row.cells = {cell(section.name),
                 cell(static_cast<std::int64_t>(rank)),
                 cell(ranges_text(shard.ranges)),
                 section.heads.count > 0 ? cell(heads_text(shard.ranges, section.heads)) : no_value(),
                 cell(spaced_shape(shard.shape)),
                 cell(shard.bytes, grouped(shard.bytes)),
                 cell(to_string(spec.placement)),
                 cell(spec.strategy)};
    table.rows.push_back(std::move(row));
  }
}

Table shard_table(const std::vector<Section>& sections, bool for_programs) {
  const int single = for_programs ? 0 : kOnlyForPrograms;
  const Section& first = sections.front();
  const int heads = first.heads.count > 0 || for_programs ? 0 : kOnlyForPrograms;
  Table table;
  table.columns = {{"param", "parameter", false, single},
                   {"rank", "rank", true, 0},
                   {"range", for_programs ? "range" : dimension_name(*first.spec), false, 0},
                   {"heads", for_programs ? "heads" : first.heads.label, false, heads},
                   {"local_shape", "local shape", false, 0},
                   {"bytes", "bytes", true, 0},
                   {"placement", "placement", false, single},
                   {"strategy", "strategy", false, single}};
  for (const Section& section : sections) add_rows(table, section);
  return table;
}

void print_sections(Context& context, const std::vector<Section>& sections) {
  for (std::size_t i = 0; i < sections.size() && i < kMaxSections; ++i) {
    if (i > 0) context.out += "\n";
    const bool header = !context.options.no_header;
    if (header && !context.options.quiet) context.out += section_heading(sections[i]) + "\n";
    context.out += to_text(shard_table({sections[i]}, false), context.terminal, header);
    const auto bar =
        picture(*sections[i].spec, static_cast<std::size_t>(std::clamp(context.terminal.width - 30, 16, 64)));
    if (!bar.empty() && !context.options.quiet)
      context.out += dimension_name(*sections[i].spec) + " by rank  " + bar + "\n";
  }
  if (sections.size() > kMaxSections) {
    context.err += "... and " + plural(static_cast<std::int64_t>(sections.size() - kMaxSections), "more parameter") +
                   "; name a module more closely, or --format csv for all\n";
  }
}

std::string last_components(const std::string& path, std::ptrdiff_t count) {
  std::size_t begin = path.size();
  for (; count > 0 && begin != std::string::npos && begin > 0; --count) begin = path.rfind('.', begin - 1);
  return begin == std::string::npos ? path : path.substr(begin + 1);
}

Error no_match(const std::string& wanted, const Analysis& analysis) {
  const auto length = std::count(wanted.begin(), wanted.end(), '.') + 1;
  std::vector<std::string> modules;
  for (const ShardSpec& spec : analysis.shards) {
    modules.push_back(last_components(spec.pattern.substr(0, spec.pattern.rfind('.')), length));
  }
  modules = distinct(modules);
  Error error = usage_error("no parameter matches \"" + wanted + "\"");
  const auto near = nearest(wanted, modules);
  if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
  error.fixes = {"tpsim plan show -m MODEL lists all parameters"};
  return error;
}

std::vector<Section> find_sections(const Scenario& s, const Analysis& analysis, const std::string& wanted) {
  std::vector<Section> sections;
  for (const ShardSpec& spec : analysis.shards)
    if (auto name = match_parameters(spec, wanted)) {
      sections.push_back({std::move(*name), &spec, heads_of(s.model(), spec)});
    }
  return sections;
}

void write_json(JsonWriter& json, const Scenario& s, const Analysis& analysis, const Table& table) {
  json.begin_object();
  json.member("schema", "tpsim.shard/1");
  write_inputs(json, s, analysis);
  json.member("tp", analysis.parallelism.tp);
  json.key("shards");
  write_rows(table, json);
  json.end_object();
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  const auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const auto tp = single_tp(options, *scenario);
  if (!tp) return tp.error();
  const auto analysis = analyze(scenario->model(), request_for(*scenario, *tp, Pass::forward));
  if (!analysis) return analysis.error();
  explain_inputs(context, *scenario, *analysis);
  const auto sections = find_sections(*scenario, *analysis, options.operands.front());
  if (sections.empty()) return no_match(options.operands.front(), *analysis);
  if (output_format(options) == Format::table && !options.fields_given && !options.sort) {
    print_sections(context, sections);
    return kExitYes;
  }
  Document document;
  document.title = "Shards at TP " + std::to_string(*tp);
  document.table = shard_table(sections, true);
  document.json = [&, table = document.table](JsonWriter& json) { write_json(json, *scenario, *analysis, table); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command shard_command() {
  Command command;
  command.name = "shard";
  command.summary = "how one weight is cut: ranges, shapes and bytes on every rank";
  command.operands = "MODULE";
  command.min_operands = command.max_operands = 1;
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kSizeFlags | kDtypeFlags | kTableFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "tp"};
  command.examples = {{"tpsim shard -m llama-3.1-70b layers.0.self_attn.k_proj --tp 4", ""},
                      {"tpsim shard -m config.json lm_head --tp 8 --format csv", ""}};
  command.description =
      "MODULE is a run of components of a parameter's name; without an index it stands for all layers.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
