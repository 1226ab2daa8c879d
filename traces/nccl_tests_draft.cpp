#include "traces/nccl_tests_draft.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tpsim {
namespace {

struct NamedType {
  std::string_view name;
  int bytes;
  std::optional<DType> dtype;
};
constexpr std::array kTypes = {
    NamedType{"float", 4, DType::fp32},   NamedType{"float32", 4, DType::fp32},  NamedType{"half", 2, DType::fp16},
    NamedType{"float16", 2, DType::fp16}, NamedType{"bfloat16", 2, DType::bf16}, NamedType{"int8", 1, DType::int8},
    NamedType{"uint8", 1, DType::int8},   NamedType{"char", 1, DType::int8},     NamedType{"int64", 8, DType::int64},
    NamedType{"uint64", 8, DType::int64}, NamedType{"double", 8, std::nullopt},  NamedType{"float64", 8, std::nullopt},
    NamedType{"int32", 4, std::nullopt},  NamedType{"uint32", 4, std::nullopt},  NamedType{"int", 4, std::nullopt},
    NamedType{"f8e4m3", 1, DType::fp8},   NamedType{"f8e5m2", 1, DType::fp8},    NamedType{"fp8_e4m3", 1, DType::fp8},
    NamedType{"fp8_e5m2", 1, DType::fp8},
};

struct NamedProgram {
  std::string_view name;
  std::optional<CollectiveOp> op;
};
// Longer names first: "all_reduce" contains "reduce".
constexpr std::array kPrograms = {
    NamedProgram{"all_reduce", CollectiveOp::all_reduce},
    NamedProgram{"allreduce", CollectiveOp::all_reduce},
    NamedProgram{"reduce_scatter", CollectiveOp::reduce_scatter},
    NamedProgram{"reducescatter", CollectiveOp::reduce_scatter},
    NamedProgram{"all_gather", CollectiveOp::all_gather},
    NamedProgram{"allgather", CollectiveOp::all_gather},
    NamedProgram{"alltoallv", std::nullopt},
    NamedProgram{"alltoall", CollectiveOp::all_to_all},
    NamedProgram{"all_to_all", CollectiveOp::all_to_all},
    NamedProgram{"broadcast", CollectiveOp::broadcast},
    NamedProgram{"sendrecv", CollectiveOp::send},
    NamedProgram{"send_recv", CollectiveOp::send},
    NamedProgram{"hypercube", std::nullopt},
    NamedProgram{"gather", std::nullopt},
    NamedProgram{"scatter", std::nullopt},
    NamedProgram{"reduce", std::nullopt},
};

const NamedProgram* program_named(std::string_view text) {
  for (const NamedProgram& p : kPrograms)
    if (text.find(p.name) != std::string_view::npos) return &p;
  return nullptr;
}

const NamedType* type_named(std::string_view name) {
  for (const NamedType& t : kTypes)
    if (t.name == name) return &t;
  return nullptr;
}

std::string_view base_name(std::string_view file) {
  const std::size_t slash = file.find_last_of("/\\");
  return slash == std::string_view::npos ? file : file.substr(slash + 1);
}

// Bus over algorithm bandwidth, from the row that shows most digits; 0 = no row shows it.
double printed_factor(const CollectiveSweep& sweep) {
  const SweepRow* best = nullptr;
  for (const SweepRow& row : sweep.rows)
    if (row.algbw > 0.5 && row.busbw > 0 && (best == nullptr || row.algbw > best->algbw)) best = &row;
  return best == nullptr ? 0 : best->busbw / best->algbw;
}

int ranks_by_factor(CollectiveOp op, double factor) {
  const double lost = op == CollectiveOp::all_reduce ? (2 - factor) / 2 : 1 - factor;
  const bool tells = op != CollectiveOp::broadcast && op != CollectiveOp::send && factor > 0 && lost > 1e-4;
  return tells ? static_cast<int>(std::lround(1 / lost)) : 0;
}

// size = ranks * count * element for operations that count one rank's part.
int ranks_by_count(const SweepDraft& draft) {
  const int element = bytes_of_type(draft.type);
  for (std::size_t i = draft.counts.size(); i-- > 0;) {
    const std::int64_t part = draft.counts[i] * element;
    if (part > 0 && draft.sweep.rows[i].bytes % part == 0)
      return static_cast<int>(std::min<std::int64_t>(draft.sweep.rows[i].bytes / part, 1 << 20));
  }
  return 0;
}

std::optional<CollectiveOp> op_by_columns(const SweepDraft& draft) {
  const bool reduces = !draft.redop.empty() && draft.redop != "none";
  const double factor = printed_factor(draft.sweep);
  if (reduces) return factor > 1 || factor == 0 ? CollectiveOp::all_reduce : CollectiveOp::reduce_scatter;
  if (draft.root && *draft.root >= 0) return CollectiveOp::broadcast;
  return std::nullopt;
}

int settle_ranks(const SweepDraft& draft, std::vector<std::string>& notes) {
  const CollectiveOp op = draft.sweep.op;
  const bool counts_parts =
      op == CollectiveOp::all_gather || op == CollectiveOp::reduce_scatter || op == CollectiveOp::all_to_all;
  const int by_factor = ranks_by_factor(op, printed_factor(draft.sweep));
  const int counted = counts_parts ? ranks_by_count(draft) : 0;
  const int stated = std::max(draft.sweep.ranks, draft.listed_ranks);
  const int ranks = counted > 1 ? counted : stated > 0 ? stated : by_factor;
  // A factor is printed with few digits: it tells 2 from 8 ranks, not 30 from 32.
  const bool differs = by_factor > 0 && ranks > 0 && std::abs(by_factor - ranks) > std::max(1, ranks / 4);
  if (differs)
    notes.push_back(draft.sweep.file + ":" + std::to_string(draft.sweep.line) + ": " + std::to_string(ranks) +
                    " ranks, but busbw / algbw is that of " + std::to_string(by_factor));
  return ranks;
}

}  // namespace

int bytes_of_type(std::string_view type) {
  const NamedType* found = type_named(type);
  return found == nullptr ? 0 : found->bytes;
}

std::string program_in(std::string_view text) {
  const std::size_t end = text.find("_perf");
  if (end == std::string_view::npos) return {};
  std::size_t begin = end;
  while (begin > 0 && (std::isalnum(static_cast<unsigned char>(text[begin - 1])) || text[begin - 1] == '_')) --begin;
  return std::string(text.substr(begin, end + 5 - begin));
}

Result<std::optional<CollectiveSweep>> finish(SweepDraft draft, const std::string& file,
                                              std::vector<std::string>& notes) {
  const std::string place = file + ":" + std::to_string(draft.sweep.line);
  draft.sweep.file = file;
  const NamedProgram* program = program_named(draft.program);
  if (program == nullptr) program = program_named(base_name(file));
  std::optional<CollectiveOp> op = program == nullptr ? op_by_columns(draft) : program->op;
  if (program != nullptr && !op) {
    notes.push_back(place + ": " + draft.program + " left out: tpsim has no such operation");
    return std::optional<CollectiveSweep>{};
  }
  if (!op) {
    Error error = input_error("the table does not say which operation it is", place);
    error.details = {"neither the program's name (all_gather_perf) nor a reduction or root is there"};
    error.fixes = {"name the file after the operation, as in all_gather.txt"};
    return error;
  }
  draft.sweep.op = *op;
  const NamedType* type = type_named(draft.type);
  draft.sweep.dtype = type != nullptr ? type->dtype : parse_dtype(draft.type);
  draft.sweep.ranks = settle_ranks(draft, notes);
  if (!draft.hosts.empty()) draft.sweep.nodes = static_cast<int>(draft.hosts.size());
  return std::optional<CollectiveSweep>(std::move(draft.sweep));
}

}  // namespace tpsim
