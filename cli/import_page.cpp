#include <algorithm>
#include <cmath>
#include <map>

#include "cli/import_operations.h"
#include "cli/text.h"
#include "cli/trace_import.h"
#include "traces/kineto_busy.h"

namespace tpsim::cli {
namespace {

Cell ms_cell(double us) { return cell(us, 3, fixed(us / 1000, 3)); }
Cell us_cell(double us) { return cell(us, 3, fixed(us, us < 100 ? 2 : 1)); }
Cell text_cell(const std::string& text) { return text.empty() ? no_value() : cell(text); }

Cell share_cell(double part, double whole) {
  return whole > 0 ? cell(100 * part / whole, 2, fixed(100 * part / whole, 1)) : no_value();
}

Row rank_row(const KinetoTrace& trace) {
  const DeviceBusy busy = device_busy(trace);
  Row row;
  row.cells = {trace.rank < 0 ? no_value() : cell(static_cast<std::int64_t>(trace.rank)),
               cell(trace.file),
               text_cell(trace.devices.empty() ? std::string() : trace.devices.front()),
               cell(static_cast<std::int64_t>(marked_steps(trace))),
               cell(busy.kernels),
               cell(busy.collectives),
               ms_cell(busy.span),
               ms_cell(busy.computation),
               ms_cell(busy.communication),
               ms_cell(busy.overlapped),
               ms_cell(busy.exposed()),
               share_cell(busy.exposed(), busy.span),
               share_cell(busy.idle(), busy.span)};
  return row;
}

PageSection ranks_section(const std::vector<KinetoTrace>& traces) {
  Table table;
  table.columns = {{"rank", "rank"},
                   {"file", "file", false, 160},
                   {"device", "device", false, 170},
                   {"steps", "steps", true, 110},
                   {"kernels", "kernels", true, 90},
                   {"collectives", "colls", true, 90},
                   {"span_us", "span", true, 0, "ms"},
                   {"computation_us", "compute", true, 0, "ms"},
                   {"communication_us", "comm", true, 0, "ms"},
                   {"overlapped_us", "hidden", true, 0, "ms"},
                   {"exposed_us", "exposed", true, 0, "ms"},
                   {"exposed_percent", "exposed", true, 0, "share of the span, %"},
                   {"idle_percent", "idle", true, 0, "share of the span, %"}};
  for (const KinetoTrace& trace : traces) table.rows.push_back(rank_row(trace));
  PageSection section{"Ranks", {}, {}, {std::move(table)}, "", "ranks"};
  section.paragraphs = {"hidden: communication while a kernel computes; exposed: while none does."};
  return section;
}

// Time by family of kernel, over all ranks.
PageSection families_section(const std::vector<KinetoTrace>& traces) {
  std::map<std::string, std::pair<std::int64_t, double>> families;
  double all = 0;
  for (const KinetoTrace& trace : traces)
    for (const int index : working_events(trace)) {
      const KinetoEvent& e = trace.events[static_cast<std::size_t>(index)];
      auto& [count, us] = families[std::string(is_collective(e) ? "collective" : kernel_family(e.name))];
      ++count;
      us += e.duration_us;
      all += e.duration_us;
    }
  Table table;
  table.columns = {
      {"family", "family", false}, {"kernels", "kernels"}, {"time_us", "time, ms"}, {"share_percent", "share, %"}};
  for (const auto& [family, sums] : families) {
    Row row;
    row.cells = {cell(family), cell(sums.first), ms_cell(sums.second), share_cell(sums.second, all)};
    table.rows.push_back(std::move(row));
  }
  std::stable_sort(table.rows.begin(), table.rows.end(), [](const Row& a, const Row& b) {
    return std::get<Decimal>(a.cells[2].value).value > std::get<Decimal>(b.cells[2].value).value;
  });
  return {"Kernels by family", {}, {}, {std::move(table)}, "", "families"};
}

// Measured and predicted: collectives by their shortest time, since in longer ones a rank waits for others.
double compared_us(const ImportedCalls& c) { return c.collective ? c.least_us : c.median_us; }

void add_prediction(Row& row, const std::optional<Estimate>& predicted, double measured) {
  if (!predicted || !(measured > 0)) {
    for (int i = 0; i < 4; ++i) row.cells.push_back(no_value());
    return;
  }
  const double error = predicted->us / measured - 1, band = std::exp(predicted->band);
  row.cells.push_back(us_cell(predicted->us));
  row.cells.push_back(cell(100 * error, 2, (error >= 0 ? "+" : "") + fixed(100 * error, 1)));
  row.cells.push_back(cell(100 * (band - 1), 1, fixed(100 * (band - 1), 0)));
  const bool within = measured <= predicted->us * band && measured >= predicted->us / band;
  row.cells.push_back(cell(std::string(within ? "yes" : "no")));
}

void add_prediction_columns(Table& table) {
  table.columns.insert(table.columns.end(), {{"predicted_us", "predicted, us"},
                                             {"error_percent", "error, %"},
                                             {"band_percent", "band, %", true, 110},
                                             {"within_band", "within", false, 120}});
}

PageSection calls_section(const std::vector<ImportedCalls>& calls) {
  Table table;
  table.columns = {{"name", "what", false},
                   {"shape", "shape", false},
                   {"module", "module", false, 90, "", true},
                   {"calls", "calls"},
                   {"least_us", "least, us", true, 130},
                   {"median_us", "median, us"},
                   {"sum_us", "sum, ms", true, 100}};
  add_prediction_columns(table);
  for (const ImportedCalls& c : calls) {
    Row row;
    row.cells = {cell(c.name),        cell(c.shape),        text_cell(c.module), cell(c.calls),
                 us_cell(c.least_us), us_cell(c.median_us), ms_cell(c.sum_us)};
    add_prediction(row, c.predicted, compared_us(c));
    table.rows.push_back(std::move(row));
  }
  PageSection section{"Calls with sizes", {}, {}, {std::move(table)}, "", "calls"};
  section.paragraphs = {
      "Products: median of all ranks; collectives are held by their shortest time, in longer ones a rank waits."};
  return section;
}

PageSection sweeps_section(const std::vector<CollectiveSweep>& sweeps, Predictor* predictor) {
  Table table;
  table.columns = {{"op", "collective", false},  {"ranks", "ranks"},      {"nodes", "hosts", true, 100},
                   {"bytes", "bytes"},           {"time_us", "time, us"}, {"busbw", "busbw, GB/s", true, 80},
                   {"wrong", "wrong", true, 120}};
  add_prediction_columns(table);
  for (const CollectiveSweep& sweep : sweeps)
    for (const SweepRow& measured : sweep.rows) {
      Row row;
      row.cells = {cell(std::string(to_string(sweep.op))),
                   cell(static_cast<std::int64_t>(sweep.ranks)),
                   cell(static_cast<std::int64_t>(sweep.nodes)),
                   cell(measured.bytes),
                   us_cell(measured.us),
                   cell(measured.busbw, 2, fixed(measured.busbw, 2)),
                   cell(measured.wrong)};
      const bool can = predictor != nullptr && sweep.ranks > 1 && measured.bytes > 0;
      add_prediction(
          row,
          can ? std::optional(predictor->collective(sweep.op, static_cast<double>(measured.bytes), sweep.ranks).time)
              : std::nullopt,
          measured.us);
      table.rows.push_back(std::move(row));
    }
  return {"nccl-tests", {}, {}, {std::move(table)}, "", "sweeps"};
}

class LogRows {
public:
  explicit LogRows(const NcclLog& log) : log_(log) {
    table_.columns = {{"what", "what", false}, {"value", "value", false, 0, "", true}, {"count", "lines"}};
  }

  Table run() {
    for (const auto& version : log_.versions) add("version", version);
    if (!log_.hosts.empty()) add("hosts", joined(std::vector<std::string>(log_.hosts.begin(), log_.hosts.end()), " "));
    for (const NcclCommunicator& c : log_.communicators) add("communicator", describe(c));
    for (const auto& network : log_.networks) add("network", network);
    for (const auto& adapter : log_.adapters) add("adapter", adapter);
    for (const auto& plugin : log_.plugins) add("plugin", plugin);
    if (log_.channels > 0) add("channels", std::to_string(log_.channels));
    if (log_.collective_channels > 0)
      add("channels", std::to_string(log_.collective_channels) + " for collectives, " +
                          std::to_string(log_.p2p_channels) + " for sends");
    if (log_.rings + log_.trees > 0)
      add("graphs", plural(log_.rings, "ring") + " and " + plural(log_.trees, "line") + " of trees listed");
    if (log_.nvls) add("NVLS", "multicast available");
    if (log_.gdr_enabled + log_.gdr_disabled > 0)
      add("GPU Direct RDMA",
          "enabled on " + plural(log_.gdr_enabled, "line") + ", disabled on " + plural(log_.gdr_disabled, "line"));
    add_all("transport", log_.transports);
    add_all("topology", log_.graph_types);
    add_all("setting", log_.settings);
    for (const auto& [c, count] : log_.choices) add("choice", describe(c), count);
    for (const auto& [c, count] : log_.collectives) add("call", describe(c), count);
    add_all("WARNING", log_.warnings, Style::yellow);
    add_all("failure", log_.failures, Style::red);
    add_all("not recognised", log_.unrecognised);
    return std::move(table_);
  }

private:
  void add(const std::string& what, const std::string& value, std::int64_t count = 0, Style style = Style::plain) {
    Row row;
    row.cells = {cell(what, style), cell(value), count > 0 ? cell(count) : no_value()};
    table_.rows.push_back(std::move(row));
  }
  void add_all(const std::string& what, const std::map<std::string, std::int64_t>& counts, Style style = Style::plain) {
    for (const auto& [value, count] : counts) add(what, value, count, style);
  }

  static std::string describe(const NcclCommunicator& c) {
    const auto complete =
        std::count_if(c.ranks.begin(), c.ranks.end(), [](const auto& r) { return r.second.complete; });
    return (c.id.empty() ? std::string() : c.id + ": ") + plural(c.size, "rank") + ", " +
           std::to_string(c.ranks.size()) + " seen, " + std::to_string(complete) + " complete";
  }
  static std::string describe(const NcclChoice& c) {
    return c.name + " of " + grouped(c.bytes) + " bytes: " + c.algorithm + " " + c.protocol +
           (c.channels > 0 ? ", " + plural(c.channels, "channel") : "");
  }
  static std::string describe(const NcclCollectiveLine& c) {
    return c.name + " of " + (c.bytes < 0 ? std::string("unknown") : grouped(c.bytes)) + " bytes" +
           (c.ranks > 0 ? " over " + plural(c.ranks, "rank") : "");
  }

  const NcclLog& log_;
  Table table_;
};

PageSection accuracy_section(const std::vector<ImportedCalls>& calls, const ImportBasis& basis) {
  double measured = 0, predicted = 0, known = 0, all = 0;
  for (const ImportedCalls& c : calls) {
    all += c.sum_us;
    if (!c.module.empty()) known += c.sum_us;
    if (!c.predicted || c.collective) continue;
    measured += c.median_us * static_cast<double>(c.calls);
    predicted += c.predicted->us * static_cast<double>(c.calls);
  }
  PageSection section{"Held against " + basis.name, {}, {}, {}, ""};
  if (measured > 0)
    section.paragraphs.push_back("products: " + fixed(measured / 1000, 2) + " ms measured, " +
                                 fixed(predicted / 1000, 2) + " ms predicted (" + (predicted >= measured ? "+" : "") +
                                 fixed(100 * (predicted / measured - 1), 1) + " %)");
  if (basis.analysis && all > 0)
    section.paragraphs.push_back(percent(known / all) +
                                 " of the time of calls with sizes belongs to modules of the model");
  if (section.paragraphs.empty())
    section.paragraphs.emplace_back("nothing in the traces can be held against a prediction");
  return section;
}

}  // namespace

Page import_page(const ImportedFiles& files, const ImportBasis& basis, Predictor* predictor) {
  Page page;
  page.title = "Import of " + plural(static_cast<std::int64_t>(files.files.rows.size()), "file");
  page.sections.push_back({"Files", files.notes, {}, {files.files}, "", "files"});
  if (!files.traces.empty()) {
    page.sections.push_back(ranks_section(files.traces));
    page.sections.push_back(families_section(files.traces));
    const auto calls = imported_calls(files.traces, basis, predictor);
    if (!calls.empty()) page.sections.push_back(calls_section(calls));
    if (predictor != nullptr) page.sections.push_back(accuracy_section(calls, basis));
  }
  if (!files.sweeps.empty()) page.sections.push_back(sweeps_section(files.sweeps, predictor));
  Table logs;
  for (const NcclLog& log : files.logs) {
    Table table = LogRows(log).run();
    if (logs.columns.empty()) {
      logs.columns = table.columns;
      logs.columns.insert(logs.columns.begin(), {"file", "file", false, kOnlyForPrograms});
    }
    for (Row& row : table.rows) {
      row.cells.insert(row.cells.begin(), cell(log.file));
      logs.rows.push_back(std::move(row));
    }
  }
  if (!logs.rows.empty()) page.sections.push_back({"NCCL", {}, {}, {std::move(logs)}, "", "nccl"});
  page.foot = "Read by tpsim.";
  return page;
}

}  // namespace tpsim::cli
