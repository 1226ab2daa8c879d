#include "core/diagnostic_catalogue.h"

#include <algorithm>

namespace tpsim {
namespace {

std::vector<DiagnosticInfo> build_catalogue() {
  const auto error = Severity::error;
  const auto warning = Severity::warning;
  const auto note = Severity::note;
  return {
      {"TP101",
       error,
       "unknown strategy",
       "The plan names a strategy that the chosen Transformers release does not register. Loading raises a ValueError "
       "that lists the supported styles. Names differ between releases: colwise_rep became colwise_gather_output in "
       "5.1, "
       "local_* and gather exist from 4.50 to 5.0 only.",
       "\"model.layers.*.self_attn.q_proj\": \"colwize\"",
       "Use a name that `tpsim strategies list --dialect VERSION` shows; `tpsim plan convert --to VERSION` rewrites "
       "names "
       "that have an equivalent.",
       {"huggingface/transformers#39944"}},
      {"TP102",
       error,
       "heads cannot be split over the ranks",
       "A projection to heads is cut so that a rank holds a part of a head. Attention reshapes its local projection to "
       "whole heads of head_dim features, so the first forward raises a RuntimeError (shape is invalid for input of "
       "size ...); nothing is said while loading. The number of ranks must divide the query heads and the key/value "
       "heads.",
       "4 key/value heads at TP 8: each rank gets 64 rows of a 128-row head.",
       "Use a TP size that divides both head counts, leave k_proj and v_proj out of the plan if there is one kv head, "
       "or "
       "repeat kv heads (--kv-replicate; needs a runtime that supports it).",
       {"huggingface/transformers#48307", "pytorch/torchtitan#2574"}},
      {"TP103",
       error,
       "dimension not divisible by the ranks",
       "A size that must be divided evenly is not: rows of a gathered head (5.14 to 5.20), a vocabulary table (5.1 to "
       "5.15 "
       "look up wrong rows), blocks of a packed weight (up to 5.15), experts (all releases), or any cut dimension in "
       "4.50 "
       "to 4.53, which drop the remainder without a word.",
       "intermediate_size 11008 at TP 3",
       "Use a TP size that divides the dimension, or pad it (resize_token_embeddings "
       "has pad_to_multiple_of).",
       {"huggingface/transformers#37051", "vllm-project/vllm#2652"}},
      {"TP104",
       error,
       "two rules for one module",
       "Hooks and weights are matched differently (5.0 to 5.15): the rule that cuts the weights of a module is not the "
       "rule "
       "that installs its communication. Weights follow the first key that matches anywhere in the name, in the order "
       "of "
       "the dictionary; hooks follow the exact key.",
       "\"model.layers.*.mlp.gate\" before \"model.layers.*.mlp.gate_proj\" also cuts gate_proj's weight.",
       "Put the more specific key first, or give both the same strategy.",
       {"huggingface/transformers#37893"}},
      {"TP105",
       error,
       "fused weight cut as if it were one matrix",
       "A weight holds several matrices one behind the other (gate and up; query, key and value). A plain cut gives "
       "some "
       "ranks rows of the first only, so products pair the wrong halves. It runs and gives other numbers.",
       "\"model.layers.*.mlp.gate_up_proj\": \"colwise\"",
       "packed_colwise for two equal blocks, or colwise_gather_output on it and rowwise_split_input on the layer after "
       "it.",
       {"ndif-team/nnsight#719"}},
      {"TP106",
       error,
       "partial sums are used without a reduction",
       "Each rank holds a summand of the true value, and an operation that is not linear in it (a residual addition, a "
       "norm, "
       "an activation) reads it as if it were the value. It runs and gives other numbers.",
       "\"model.layers.*.mlp.down_proj.weight\": \"rowwise\": a key on the parameter cuts it but installs no "
       "all-reduce.",
       "Key the rule on the module, or add a strategy that reduces (rowwise, moe_tp_experts, all_reduce).",
       {"FlashML-org/FreeToken#429"}},
      {"TP107",
       error,
       "reduction over values that are complete already",
       "A strategy sums over ranks what every rank holds in full, so the result is multiplied by the number of ranks; "
       "or it "
       "gathers what is complete, so the result is that much wider (logits of a tied head whose table is not cut).",
       "\"model.layers.*.mlp.experts\": \"moe_tp_experts\" while the experts' weights are not cut.",
       "Cut what feeds the reduction, or drop the rule.",
       {"lightseekorg/tokenspeed#80"}},
      {"TP108",
       error,
       "cut activation enters an operation that needs all of it",
       "A layer that is not cut (or a norm over the whole width) reads a tensor of which each rank holds a part: a "
       "shape "
       "error, or statistics over a part.",
       "gate_proj colwise, down_proj without a rule: down_proj expects 28672 features and gets 7168.",
       "Give the consumer the matching strategy (rowwise), or gather the output (colwise_gather_output).",
       {"vllm-project/vllm-omni#4439"}},
      {"TP109",
       error,
       "query heads and key/value heads do not belong together",
       "Queries are cut and keys or values are not, or not in the same way. Attention repeats kv heads by the ratio of "
       "the "
       "whole model, so a rank pairs its queries with heads that are not theirs: wrong numbers or a shape error. "
       "Leaving "
       "k and v whole is right for one kv head only.",
       "q_proj colwise, k_proj and v_proj without a rule, 8 kv heads",
       "Cut q, k and v alike, or gather all three.",
       {"NVIDIA-NeMo/Automodel#1519"}},
      {"TP110",
       error,
       "does not fit",
       "Weights, KV cache, activations, communication buffers and the runtime's reserve exceed the memory of the "
       "heaviest "
       "rank.",
       "Llama-3.1-70B in bf16 on one 80 GB GPU",
       "A larger TP size, a smaller batch or context, or a smaller dtype.",
       {}},
      {"TP111",
       warning,
       "layers left out though their neighbours are covered",
       "In a model with layers of several kinds the plan covers the blocks of one kind. Those of the others are "
       "complete "
       "on every rank: no error, and no saving of memory or time there.",
       "attention layers have rules, linear-attention layers have none",
       "Add rules for the modules named, or accept the copies.",
       {"huggingface/transformers#48306"}},
      {"TP112",
       warning,
       "bias added once per rank",
       "The bias of a layer whose output is a partial sum is added on every rank before the sum, so it counts TP "
       "times. "
       "rowwise takes care of that; local_rowwise under gather and strategies of your own do not.",
       "\"...o_proj\": \"local_rowwise\" with a bias",
       "Strategy local on the bias (4.54 to 5.0), rowwise, or "
       "bias_after_reduction in the strategy's description.",
       {}},
      {"TP113",
       error,
       "experts and their routing do not belong together",
       "Experts are split over the ranks but nothing tells a rank which tokens are its own, or routes are masked "
       "although "
       "every rank has all experts. Tokens are then counted several times or not at all.",
       "\"...mlp.experts.gate_up_proj\": \"grouped_gemm\" without ep_router or ep_dispatch_experts",
       "Use the rules of an expert plan together: grouped_gemm with ep_dispatch_experts (5.19 on), or with ep_router "
       "and "
       "moe_tp_experts.",
       {}},
      {"TP114",
       error,
       "this release refuses the plan or the sizes",
       "The plan is refused before any weight is loaded: no rule at all (5.23), a dictionary where only \"auto\" is "
       "accepted "
       "(up to 4.57), sizes that its mesh cannot have, an expert plan of the wrong kind, a key that is no regular "
       "expression.",
       "tp_plan={...} with Transformers 4.57",
       "Another dialect, or what the message names.",
       {}},
      {"TP120",
       error,
       "cut parameter in a module that is not wrapped",
       "Up to 5.0 and from 5.16 on a cut parameter is a DTensor. If the rule's key names the parameter, or the "
       "strategy is "
       "for parameters only, the module's forward is not replaced and mixes Tensor and DTensor: RuntimeError.",
       "\"model.layers.*.mlp.down_proj.weight\": \"rowwise\"",
       "Key the rule on the module.",
       {}},
      {"TP121",
       error,
       "module's inputs or outputs do not suit the strategy",
       "The strategy's hook expects certain inputs or outputs (a tensor first, three arguments for experts, a sequence "
       "dimension), and the module is called otherwise: TypeError or IndexError in the first forward.",
       "\"model.layers.*.self_attn\": \"colwise\": the block is called with keywords only",
       "Key the rule on the linear layers inside, or choose a strategy for blocks.",
       {"huggingface/transformers#45976"}},
      {"TP122",
       error,
       "strategy needs what the module or configuration lacks",
       "The strategy reads an attribute that is not there: out_features or in_features of something that is no linear "
       "layer, "
       "num_experts of a router, qk_rope_head_dim of a model without latent attention.",
       "\"model.embed_tokens\": \"colwise\" (5.21 on: Embedding has no out_features)",
       "embedding_rowwise for tables; no rule for norms and activations.",
       {}},
      {"TP123",
       error,
       "token ids outside the rank's rows",
       "A table is cut along the vocabulary without the mask and the sum that make up for it (or the other way round), "
       "so "
       "a rank looks up ids that it does not hold: IndexError or wrong rows.",
       "\"model.embed_tokens\": \"colwise\" with Transformers 5.1 to 5.15",
       "embedding_rowwise",
       {}},
      {"TP125",
       error,
       "norm over a part of the features",
       "A norm takes its statistics over the last dimension, of which each rank holds a part. It runs and gives other "
       "numbers. A norm per head is fine, one over the whole projection is not.",
       "q_norm of olmo2 behind a colwise q_proj",
       "Gather the projection (colwise_gather_output) before the norm.",
       {}},
      {"TP201",
       warning,
       "rule matches nothing",
       "The key names no module and no parameter of this model, so the rule shards nothing. Common causes: the prefix "
       "of the "
       "base model is missing (rules of a config class are relative to it, rules given to the whole model are not), a "
       "concrete layer index, a misspelt name. From 5.19 on such a key in a user's dictionary is refused.",
       "\"layers.*.mlp.gate_proj\" instead of \"model.layers.*.mlp.gate_proj\"",
       "Use the key that the message proposes, or --base-plan for a config class's plan.",
       {"huggingface/transformers#37893"}},
      {"TP202",
       warning,
       "large module left whole",
       "A module that holds a good part of the weights has no rule: a full copy and its full work on every rank.",
       "embed_tokens up to 5.20",
       "Add a rule where the release has one that suits.",
       {"huggingface/transformers#37893"}},
      {"TP203",
       warning,
       "strategy has another name in this release",
       "The name belongs to another release; the meaning is the same, and this release accepts it.",
       "\"colwise_rep\" is called \"colwise_gather_output\" since 5.1.0",
       "tpsim plan convert --to VERSION",
       {"vllm-project/vllm#40467", "huggingface/transformers#42809"}},
      {"TP204",
       warning,
       "rule ignored by this release",
       "The plan states the rule, but this release does not apply it: the head's rule of the model class is "
       "overwritten in "
       "4.51 to 4.53, 4.56 to 5.13, and a key with a digit inside a name cannot match up to 4.57.",
       "lm_head: colwise_gather_output with Transformers 5.10: a full copy on every rank",
       "A newer release, or a dictionary that states the rule for the whole model.",
       {"huggingface/transformers#47253"}},
      {"TP205",
       warning,
       "gather followed by a split",
       "A tensor is gathered only to be cut again at once: traffic without use.",
       "colwise_gather_output before rowwise_split_input",
       "colwise and rowwise, where nothing in between needs the whole.",
       {}},
      {"TP206",
       warning,
       "sequence_parallel without a partner",
       "sequence_parallel does not save what its name promises: up to 5.0 it cuts a norm's input and gathers its "
       "output "
       "(more traffic, no memory saved), in 5.1 to 5.15 it fails, from 5.16 on it does nothing.",
       "\"model.layers.*.input_layernorm\": \"sequence_parallel\"",
       "Drop the rule.",
       {"huggingface/transformers#42448"}},
      {"TP207",
       warning,
       "tied embedding and head differ",
       "Embedding and head share one weight, but their rules cut it differently.",
       "embed_tokens: replicate, lm_head: colwise_gather_output, tie_word_embeddings true",
       "Cut both along the vocabulary.",
       {"huggingface/transformers#47253"}},
      {"TP208",
       warning,
       "uneven shards",
       "The ranks do not divide the dimension. This release accepts it; the first ranks hold more, so they decide "
       "memory and "
       "time.",
       "49 rows over 2 ranks: 25 and 24",
       "A TP size that divides the dimension.",
       {"NVIDIA-NeMo/Megatron-Bridge#5077"}},
      {"TP209",
       warning,
       "rule cuts weights but installs no hook",
       "From 5.0 to 5.15 weights are matched by searching the key anywhere in their name, modules by looking their "
       "name up. "
       "Such a key cuts parameters, and no collective follows: shape errors or wrong numbers.",
       "\"model.layers.0.mlp.gate_proj\" (a concrete index), \"layers.*.mlp.gate_proj\" (no prefix)",
       "Use the module's full name with * for indices.",
       {"huggingface/transformers#37893"}},
      {"TP210",
       error,
       "strategy is tpsim's own",
       "The strategy is one of tpsim's extensions: no release of Transformers registers it, so loading raises a "
       "ValueError. "
       "A dialect with +tpsim stands for a runtime that has them beside the release's own.",
       "\"model.layers.*.self_attn.k_proj\": \"kv_replicate\" with --dialect transformers-5.23",
       "--dialect transformers-5.23+tpsim, or a strategy of the release.",
       {}},
      {"TP211",
       warning,
       "rows are no multiple of 16 bytes",
       "Grouped expert kernels (experts_implementation grouped_mm, the default) need rows of a multiple of 16 bytes. A "
       "cut can "
       "leave less: RuntimeError \"strides should be multiple of 16 bytes\".",
       "moe_intermediate_size 36 in fp32 at TP 2: rows of 72 bytes",
       "experts_implementation=\"eager\", or a TP size that leaves whole steps of 16 bytes.",
       {}},
      {"TP212",
       note,
       "gradients are summed again under accumulation",
       "replicated_with_grad_allreduce reduces a parameter's gradient after every backward pass. With gradient "
       "accumulation "
       "the sums of earlier steps are reduced once more.",
       "q_norm with replicated_with_grad_allreduce, two steps per update",
       "One backward pass per update.",
       {}},
      {"TP213",
       note,
       "save_pretrained cannot gather packed shards",
       "From 5.16 on packed weights are strided shards, which torch 2.11 cannot interpret when it gathers them for "
       "saving.",
       "packed_colwise on gate_up_proj",
       "Save from one device, or with a newer torch.",
       {}},
      {"TP214",
       note,
       "gradients stay partial in training",
       "Whole weights work on cut activations (per-head norms between cut layers, biases), so each rank sees its part "
       "of "
       "their gradient only. The forward is right.",
       "q_norm and k_norm of qwen3 with Transformers 4.57",
       "replicated_with_grad_allreduce (5.3 and later).",
       {"huggingface/transformers#43722"}},
      {"TP301",
       note,
       "another TP size is a better choice",
       "A smaller size fits and uses the devices better, or the larger one is less than 10 % faster.",
       "",
       "",
       {}},
      {"TP302",
       note,
       "times are not calibrated for this hardware",
       "Times come from data-sheet figures; the band is wide. See tpsim help accuracy.",
       "",
       "",
       {"NVIDIA/Megatron-LM#482"}},
  };
}

}  // namespace

const std::vector<DiagnosticInfo>& diagnostic_catalogue() {
  static const std::vector<DiagnosticInfo> catalogue = build_catalogue();
  return catalogue;
}

const DiagnosticInfo* find_diagnostic(std::string_view code) {
  const auto& all = diagnostic_catalogue();
  const auto it = std::find_if(all.begin(), all.end(), [&](const DiagnosticInfo& info) { return info.code == code; });
  return it == all.end() ? nullptr : &*it;
}

}  // namespace tpsim
