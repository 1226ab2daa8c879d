#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/text.h"
#include "sim/hardware.h"

namespace tpsim::cli {
namespace {

double peak_of(const Hardware& hardware, DType dtype) {
  const auto it = hardware.peak.find(dtype);
  return it == hardware.peak.end() ? 0 : it->second.value;
}

Cell rate_cell(double per_second, std::string_view unit) {
  if (per_second <= 0) return no_value();
  return cell(per_second, 0, rate_text(per_second, unit));
}

Row row_of(const Hardware& h, Units units) {
  Row row;
  row.cells = {cell(h.name),
               cell(h.title),
               cell(h.memory.value, bytes_text(h.memory.value, units)),
               rate_cell(h.memory_bandwidth.value, "B/s"),
               rate_cell(peak_of(h, DType::bf16), "FLOP/s"),
               rate_cell(peak_of(h, DType::fp8), "FLOP/s"),
               cell(h.link.name),
               rate_cell(h.link.per_direction.value, "B/s"),
               cell(std::int64_t{h.devices_per_node}),
               cell(std::string(to_string(h.source)))};
  return row;
}

Table empty_table() {
  Table table;
  table.columns = {{"name", "name", false, 0},
                   {"title", "device", false, 120, {}, true},
                   {"memory_bytes", "memory", true, 0},
                   {"memory_bytes_per_s", "bandwidth", true, 0},
                   {"bf16_flops_per_s", "bf16", true, 0},
                   {"fp8_flops_per_s", "fp8", true, 100},
                   {"link", "link", false, 80},
                   {"link_bytes_per_s", "per direction", true, 0},
                   {"devices_per_node", "per node", true, 100},
                   {"source", "source", false, 140}};
  return table;
}

Result<int> run_list(Context& context) {
  Document document;
  document.title = "Hardware";
  document.table = empty_table();
  for (const auto& name : hardware_names()) {
    const auto hardware = load_hardware(name);
    if (!hardware) return hardware.error();
    document.table.rows.push_back(row_of(*hardware, context.options.units));
  }
  document.json = [table = document.table](JsonWriter& json) {
    json.begin_object();
    json.member("schema", "tpsim.hardware-list/1");
    json.key("hardware");
    write_rows(table, json);
    json.end_object();
  };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

std::string source_of(const Hardware& hardware, const std::string& field) {
  const auto it = hardware.sources.find(field);
  return it == hardware.sources.end() ? std::string() : it->second;
}

void add_property(Table& table, const Hardware& hardware, const std::string& field, Cell value) {
  Row row;
  row.cells = {cell(field), std::move(value), cell(source_of(hardware, field))};
  table.rows.push_back(std::move(row));
}

Table properties(const Hardware& h, Units units) {
  Table table;
  table.columns = {{"field", "field", false, 0},
                   {"value", "value", false, 0},
                   {"source", "where the figure is from", false, 0, {}, true}};
  const auto rate = [&](const std::string& field, double value, std::string_view unit) {
    add_property(table, h, field, rate_cell(value, unit));
  };
  add_property(table, h, "name", cell(h.name));
  add_property(table, h, "title", cell(h.title));
  add_property(table, h, "origin", cell(h.origin));
  add_property(table, h, "memory", cell(h.memory.value, bytes_text(h.memory.value, units)));
  rate("memory_bandwidth", h.memory_bandwidth.value, "B/s");
  for (const auto& [dtype, flops] : h.peak) rate("peak." + std::string(to_string(dtype)), flops.value, "FLOP/s");
  add_property(table, h, "multiprocessors", cell(std::int64_t{h.multiprocessors}));
  add_property(table, h, "devices_per_node", cell(std::int64_t{h.devices_per_node}));
  const auto time = [&](const std::string& field, Seconds value) {
    add_property(table, h, field, cell(microseconds(value), 3, time_text(value.count())));
  };
  const auto bytes = [&](const std::string& field, Bytes value) {
    add_property(table, h, field, cell(value.value, bytes_text(value.value, units)));
  };
  const auto fraction = [&](const std::string& field, double value) {
    add_property(table, h, field, cell(value, 3, fixed(value, 2)));
  };
  add_property(table, h, "link", cell(h.link.name));
  rate("link.per_direction", h.link.per_direction.value, "B/s");
  time("link.latency", h.link.latency);
  time("link.start", h.link.start);
  if (h.link.one_shot.count() > 0) time("link.one_shot", h.link.one_shot);
  if (h.link.shared) add_property(table, h, "link.shared", cell(std::string("yes")));
  add_property(table, h, "network", cell(h.network.name));
  rate("network.per_direction", h.network.per_direction.value, "B/s");
  time("network.latency", h.network.latency);
  time("network.start", h.network.start);
  bytes("runtime_reserve", h.runtime_reserve);
  bytes("communicator_reserve", h.communicator_reserve);
  time("kernel_floor", h.kernel_floor);
  fraction("compute_efficiency", h.compute_efficiency);
  fraction("attention_efficiency", h.attention_efficiency);
  fraction("bandwidth_efficiency", h.bandwidth_efficiency);
  fraction("link_efficiency", h.link_efficiency);
  fraction("network_efficiency", h.network_efficiency);
  add_property(table, h, "source", cell(std::string(to_string(h.source))));
  return table;
}

Result<int> run_show(Context& context) {
  const auto hardware = load_hardware(context.options.operands.front());
  if (!hardware) return hardware.error();
  Document document;
  document.title = hardware->title;
  document.table = properties(*hardware, context.options.units);
  document.json = [table = document.table](JsonWriter& json) {
    json.begin_object();
    json.member("schema", "tpsim.hardware/1");
    json.key("properties");
    write_rows(table, json);
    json.end_object();
  };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command hardware_list_command() {
  Command command;
  command.name = "hardware list";
  command.summary = "the hardware catalogue";
  command.flags = kTableFlags;
  command.examples = {{"tpsim hardware list --sort -memory_bytes", ""}};
  command.run = run_list;
  return command;
}

Command hardware_show_command() {
  Command command;
  command.name = "hardware show";
  command.summary = "every figure of one device, with its source";
  command.operands = "NAME|FILE";
  command.min_operands = command.max_operands = 1;
  command.flags = kTableFlags;
  command.examples = {{"tpsim hardware show h100-sxm", ""}};
  command.run = run_show;
  return command;
}

}  // namespace tpsim::cli
