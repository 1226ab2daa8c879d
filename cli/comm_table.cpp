#include "cli/comm_table.h"

#include "cli/collective_rows.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

Row row_of(std::string_view phase, const CollectiveRow& c, Units units) {
  const Seconds all = c.time * static_cast<double>(c.count);
  Row row;
  row.cells = {cell(std::string(phase)),
               cell(std::string(to_string(c.op))),
               cell(c.module),
               cell(to_string(c.input_shape)),
               cell(std::int64_t{c.group}),
               cell(c.payload_bytes, bytes_text(c.payload_bytes, units)),
               cell(c.wire_bytes_per_rank, bytes_text(c.wire_bytes_per_rank, units)),
               cell(c.count),
               cell(c.algorithm),
               cell(microseconds(c.time), 3, time_text(c.time.count())),
               cell(microseconds(all), 3, time_text(all.count())),
               cell(c.algbw, 0, rate_text(c.algbw, "B/s")),
               cell(c.busbw, 0, rate_text(c.busbw, "B/s")),
               {c.data_dependent, c.data_dependent ? "mean" : "", Style::plain}};
  return row;
}

}  // namespace

Table comm_table(const SizeResult& result, Units units) {
  Table table;
  table.columns = {{"phase", "phase", false, 0},
                   {"op", "collective", false, 0},
                   {"after", "after", false, 0},
                   {"input_shape", "input", true, 120},
                   {"group", "ranks", true, 140},
                   {"payload_bytes", "payload", true, 0},
                   {"wire_bytes_per_rank", "on wire", true, 140},
                   {"count", "count", true, 0},
                   {"algorithm", "how", false, 140},
                   {"time_us", "each", true, 100},
                   {"total_us", "all", true, 0},
                   {"algbw", "algbw", true, 160},
                   {"busbw", "busbw", true, 120},
                   {"data_dependent", "", false, 160}};
  if (result.prefill) {
    for (const auto& c : collective_rows(result.prefill->analysis, result.prefill->time)) {
      table.rows.push_back(row_of("prefill", c, units));
    }
  }
  if (result.decode) {
    for (const auto& c : collective_rows(result.decode->analysis, result.decode->time)) {
      table.rows.push_back(row_of("decode", c, units));
    }
  }
  return table;
}

}  // namespace tpsim::cli
