#include "cli/plan_code.h"

#include <algorithm>
#include <optional>

#include "cli/plan_output.h"
#include "core/strategy.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

std::string called(const Analysis& analysis) {
  return "# " + analysis.class_name + ", plan " + analysis.plan_name + ", " + to_string(analysis.dialect) +
         ", written by tpsim " + kVersion + "\n";
}

std::string left_out(const Rule& rule, const std::string& why) { return rule.key + " (" + rule.strategy + "): " + why; }

// "    tp_plan={\n        "KEY": "STRATEGY",\n    },\n"
std::string plan_argument(const char* name, const Plan& plan) {
  std::string text = to_python(plan, name), out = "    ";
  text.replace(text.find(" = "), 3, "=");
  while (text.ends_with('\n')) text.pop_back();
  for (const char c : text) out += c == '\n' ? "\n    " : std::string(1, c);
  return out + ",\n";
}

// What torch calls a style; none: it has no such style. "" : nothing to do in a forward pass.
std::optional<std::string> torch_style(StrategyKind kind) {
  switch (kind) {
    case StrategyKind::colwise: return "ColwiseParallel()";
    case StrategyKind::colwise_gather_output:
    case StrategyKind::embedding_colwise: return "ColwiseParallel(output_layouts=Replicate())";
    case StrategyKind::rowwise: return "RowwiseParallel()";
    case StrategyKind::rowwise_split_input:
    case StrategyKind::embedding_rowwise: return "RowwiseParallel(input_layouts=Replicate())";
    case StrategyKind::replicate:
    case StrategyKind::sequence_parallel:
    case StrategyKind::replicated_with_grad_allreduce:
    case StrategyKind::mla_kv_a_proj: return "";
    case StrategyKind::packed_colwise:
    case StrategyKind::packed_rowwise:
    case StrategyKind::local_colwise:
    case StrategyKind::local_rowwise:
    case StrategyKind::local_packed_rowwise:
    case StrategyKind::local:
    case StrategyKind::gather:
    case StrategyKind::grouped_gemm:
    case StrategyKind::ep_router:
    case StrategyKind::ep_dispatch_experts:
    case StrategyKind::moe_tp_experts:
    case StrategyKind::moe_identity_expert:
    case StrategyKind::all_reduce:
    case StrategyKind::local_params:
    case StrategyKind::megamoe_router:
    case StrategyKind::megamoe_experts:
    case StrategyKind::megatron_sequence_parallel:
    case StrategyKind::vocab_parallel_padded:
    case StrategyKind::kv_replicate:
    case StrategyKind::packed_colwise_n:
    case StrategyKind::all_to_all_experts:
    case StrategyKind::custom: break;
  }
  return std::nullopt;
}

struct TorchRules {
  std::string lines, comments;
  std::vector<std::string> left_out, styles;
};

void add_rule(TorchRules& torch, const ResolvedRule& resolved, const Dialect& dialect) {
  const Rule& rule = resolved.rule;
  if (resolved.modules == 0 && resolved.parameters == 0) {
    torch.comments += "# " + rule.key + " (" + rule.strategy + "): matches nothing in this model\n";
    return;
  }
  const auto kind = find_strategy(rule.strategy, dialect);
  const auto style = kind ? torch_style(*kind) : std::nullopt;
  if (style && !style->empty() && resolved.modules == 0) {
    torch.left_out.push_back(left_out(rule, "a parameter; styles of torch are for modules"));
  } else if (!style) {
    torch.left_out.push_back(left_out(rule, "torch has no parallel style for it"));
  } else if (style->empty()) {
    torch.comments += "# " + rule.key + " (" + rule.strategy + "): a full copy on every rank\n";
  } else {
    torch.lines += "    \"" + rule.key + "\": " + *style + ",\n";
    torch.styles.push_back(*style);
  }
}

std::string torch_imports(const TorchRules& torch) {
  const auto uses = [&](const char* name) {
    return std::any_of(torch.styles.begin(), torch.styles.end(),
                       [&](const std::string& style) { return style.find(name) != std::string::npos; });
  };
  std::string text = "from torch.distributed.device_mesh import init_device_mesh\n";
  if (uses("Replicate")) text += "from torch.distributed.tensor import Replicate\n";
  text += "from torch.distributed.tensor.parallel import ";
  if (uses("ColwiseParallel")) text += "ColwiseParallel, ";
  if (uses("RowwiseParallel")) text += "RowwiseParallel, ";
  return text + "parallelize_module\n";
}

}  // namespace

Result<PlanCode> distributed_config(const Analysis& analysis) {
  if (analysis.dialect < Dialect{5, 15, 0}) {
    Error error =
        usage_error("DistributedConfig takes plans from Transformers 5.15 on, not in " + to_string(analysis.dialect));
    error.fixes = {"--as python, for from_pretrained(..., tp_plan=tp_plan)"};
    return error;
  }
  PlanCode code;
  Plan plan, experts;
  for (const ResolvedRule& resolved : analysis.rules) {
    if (is_extension(resolved.rule.strategy) || !resolved.known_strategy)
      code.left_out.push_back(left_out(resolved.rule, "Transformers has no such strategy"));
    else
      (resolved.origin == RuleOrigin::expert_plan ? experts : plan).rules.push_back(resolved.rule);
  }
  const Parallelism& p = analysis.parallelism;
  code.text = called(analysis) + "from transformers import AutoModelForCausalLM\n" +
              "from transformers.distributed import DistributedConfig\n\n" +
              "distributed_config = DistributedConfig(\n    tp_size=" + std::to_string(p.tp) + ",\n" +
              plan_argument("tp_plan", plan);
  if (p.ep > 1) code.text += "    ep_size=" + std::to_string(p.ep) + ",\n" + plan_argument("ep_plan", experts);
  code.text += ")\n# model = AutoModelForCausalLM.from_pretrained(MODEL, distributed_config=distributed_config)\n";
  return code;
}

PlanCode parallelize_module(const Analysis& analysis) {
  TorchRules torch;
  for (const ResolvedRule& resolved : analysis.rules) add_rule(torch, resolved, analysis.dialect);
  PlanCode code;
  const std::string ranks = std::to_string(analysis.ranks());
  code.text = called(analysis) + "# torchrun --nproc-per-node " + ranks +
              " ...; model: the whole model on every rank\n" + torch_imports(torch) + "\ntp_plan = {\n" + torch.lines +
              "}\n" + torch.comments + "mesh = init_device_mesh(\"cuda\", (" + ranks +
              ",))\nmodel = parallelize_module(model, mesh, tp_plan)\n";
  code.left_out = std::move(torch.left_out);
  return code;
}

}  // namespace tpsim::cli
