#include "core/placement.h"

#include <array>
#include <cctype>
#include <charconv>
#include <optional>

namespace tpsim {
namespace {

constexpr std::array kReduceOps = {ReduceOp::sum, ReduceOp::avg, ReduceOp::max, ReduceOp::min, ReduceOp::product};

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

// "Shard( dim=0 )" -> name "shard", arguments {"0"}.
struct Call {
  std::string name;
  std::vector<std::string> arguments;
};

std::string without_blanks(std::string_view text) {
  std::string compact;
  for (char c : text)
    if (!std::isspace(static_cast<unsigned char>(c)))
      compact += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return compact;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  std::string part;
  int depth = 0;
  for (char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.push_back(std::move(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!part.empty() || !parts.empty()) parts.push_back(std::move(part));
  return parts;
}

// "dim=0" -> "0", "'sum'" -> "sum".
std::string argument_value(std::string argument) {
  if (const auto equals = argument.find('='); equals != std::string::npos) argument.erase(0, equals + 1);
  std::erase_if(argument, [](char c) { return c == '"' || c == '\''; });
  return argument;
}

std::optional<Call> parse_call(const std::string& compact) {
  Call call;
  const auto open = compact.find('(');
  call.name = compact.substr(0, open);
  if (open == std::string::npos) {
    if (call.name.size() > 1 && call.name.front() == 's' &&
        call.name.find_first_not_of("-0123456789", 1) == std::string::npos)
      return Call{"s", {call.name.substr(1)}};
    return call;
  }
  if (compact.back() != ')') return std::nullopt;
  for (auto& part : split_at_commas(std::string_view(compact).substr(open + 1, compact.size() - open - 2)))
    call.arguments.push_back(argument_value(std::move(part)));
  return call;
}

std::optional<int> parse_int(const std::string& text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, value);
  if (status != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<ReduceOp> parse_reduce_op(const std::string& name) {
  for (auto op : kReduceOps)
    if (name == to_string(op)) return op;
  return std::nullopt;
}

std::optional<Placement> shard_from(const Call& call) {
  if (call.arguments.size() != 1) return std::nullopt;
  const auto dim = parse_int(call.arguments[0]);
  if (!dim) return std::nullopt;
  return Shard{*dim};
}

std::optional<Placement> strided_shard_from(const Call& call) {
  if (call.arguments.size() != 2) return std::nullopt;
  const auto dim = parse_int(call.arguments[0]), blocks = parse_int(call.arguments[1]);
  if (!dim || !blocks || *blocks < 1) return std::nullopt;
  return StridedShard{*dim, *blocks};
}

std::optional<Placement> partial_from(const Call& call) {
  if (call.arguments.empty()) return Partial{};
  const auto op = parse_reduce_op(call.arguments[0]);
  if (!op || call.arguments.size() > 1) return std::nullopt;
  return Partial{*op};
}

std::optional<Placement> placement_from(const Call& call) {
  const auto is = [&](auto... names) { return ((call.name == names) || ...); };
  if (is("r", "replicate") && call.arguments.empty()) return Replicate{};
  if (is("s", "shard")) return shard_from(call);
  if (is("_s", "stridedshard", "_stridedshard")) return strided_shard_from(call);
  if (is("p", "partial", "_partial")) return partial_from(call);
  return std::nullopt;
}

}  // namespace

const char* to_string(ReduceOp op) {
  switch (op) {
    case ReduceOp::sum: return "sum";
    case ReduceOp::avg: return "avg";
    case ReduceOp::max: return "max";
    case ReduceOp::min: return "min";
    case ReduceOp::product: return "product";
  }
  return "";
}

std::string to_string(const Placement& placement) {
  return std::visit(Overload{[](const Replicate&) { return std::string("Replicate"); },
                             [](const Shard& s) { return "Shard(" + std::to_string(s.dim) + ")"; },
                             [](const StridedShard& s) {
                               return "StridedShard(" + std::to_string(s.dim) + ", " + std::to_string(s.blocks) + ")";
                             },
                             [](const Partial& p) { return std::string("Partial(") + to_string(p.op) + ")"; }},
                    placement);
}

Result<Placement> parse_placement(std::string_view text) {
  const auto call = parse_call(without_blanks(text));
  const auto placement = call ? placement_from(*call) : std::nullopt;
  if (placement) return *placement;
  Error error = usage_error("\"" + std::string(text) + "\" is not a placement");
  error.details.push_back("known: Replicate, Shard(DIM), StridedShard(DIM, BLOCKS), Partial(sum|avg|max|min|product)");
  error.details.push_back("short: R, S(0) or S0, _S(0, 2), P");
  return error;
}

Result<std::vector<Placement>> parse_placements(std::string_view text) {
  std::vector<Placement> placements;
  const auto parts = split_at_commas(text);
  if (parts.empty())
    return usage_error("no placement given: one per mesh dimension is needed, such as Shard(0),Replicate");
  for (const auto& part : parts) {
    auto placement = parse_placement(part);
    if (!placement) return placement.error();
    placements.push_back(*placement);
  }
  return placements;
}

int cut_dim(const Placement& placement) {
  if (const auto* shard = std::get_if<Shard>(&placement)) return shard->dim;
  if (const auto* strided = std::get_if<StridedShard>(&placement)) return strided->dim;
  return -1;
}

}  // namespace tpsim
