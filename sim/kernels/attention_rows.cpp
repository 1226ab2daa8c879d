#include <algorithm>

#include "sim/kernels/attention_fit.h"

namespace tpsim {
namespace {

constexpr double kLatent = 512, kRope = 64, kLatentKey = 192, kLatentValue = 128;

double element_bytes(std::string_view cache) {
  return cache.starts_with("fp8") || cache.starts_with("int8") ? 1 : cache == "fp32" ? 4 : 2;
}

// The columns that both forms share.
struct CommonColumns {
  MeasuredColumn gpu, source, kernel, cache, batch, query, context, time;
  explicit CommonColumns(const MeasuredTable& t)
      : gpu(t, "gpu"),
        source(t, "source"),
        kernel(t, "kernel", "mla"),
        cache(t, "kv_dtype", "bf16"),
        batch(t, "batch"),
        query(t, "seq_q"),
        context(t, "kv_len"),
        time(t, "time_us") {}

  Result<AttentionRow> read(const MeasuredRow& line) const {
    const auto b = batch.positive(line), q = query.positive(line), c = context.positive(line), us = time.positive(line);
    for (const auto* number : {&b, &q, &c, &us})
      if (!*number) return Result<double>(*number).error();
    if (*c < *q) return context.error(line, "kv_len is below seq_q: it counts the new tokens too");
    AttentionRow row;
    row.gpu = gpu.text(line);
    row.source = source.text(line);
    row.kernel = kernel.text(line);
    row.cache = element_bytes(cache.text(line)) < 2 ? "fp8" : "bf16";
    row.shape.sequences = *b;
    row.shape.query = *q;
    row.shape.context = *c;
    row.shape.hot = true;
    row.us = *us;
    return row;
  }
};

}  // namespace

Result<std::vector<AttentionRow>> read_attention_rows(const MeasuredTable& table) {
  if (auto ok = require_columns(table, {"gpu", "batch", "seq_q", "kv_len", "n_q", "n_kv", "head_dim", "time_us"}); !ok)
    return ok.error();
  const CommonColumns common(table);
  const MeasuredColumn heads(table, "n_q"), kv_heads(table, "n_kv"), dim(table, "head_dim"),
      window(table, "window", "0");
  std::vector<AttentionRow> rows;
  for (const MeasuredRow& line : table.rows) {
    auto row = common.read(line);
    if (!row) return row.error();
    const auto q = heads.positive(line), kv = kv_heads.positive(line), d = dim.positive(line), w = window.number(line);
    for (const auto* number : {&q, &kv, &d, &w})
      if (!*number) return Result<double>(*number).error();
    if (*q < *kv) return heads.error(line, "n_q is below n_kv");
    AttentionShape& s = row->shape;
    s.heads = *q;
    s.kv_heads = *kv;
    s.key_dim = s.value_dim = *d;
    s.kv_bytes = 2 * *d * element_bytes(common.cache.text(line));
    s.window = std::max(0.0, *w);
    row->kind = attention_kind(s, false);
    rows.push_back(std::move(*row));
  }
  return rows;
}

Result<std::vector<AttentionRow>> read_mla_rows(const MeasuredTable& table) {
  if (auto ok = require_columns(table, {"gpu", "phase", "batch", "seq_q", "kv_len", "heads_local", "time_us"}); !ok)
    return ok.error();
  const CommonColumns common(table);
  const MeasuredColumn heads(table, "heads_local"), phase(table, "phase");
  std::vector<AttentionRow> rows;
  for (const MeasuredRow& line : table.rows) {
    auto row = common.read(line);
    if (!row) return row.error();
    const auto h = heads.positive(line);
    if (!h) return h.error();
    const std::string_view name = phase.text(line);
    if (name != "prefill" && name != "decode")
      return phase.error(line, "\"" + std::string(name) + "\" is neither prefill nor decode");
    AttentionShape& s = row->shape;
    const bool prefill = name == "prefill";
    row->kind = prefill ? AttentionKind::latent_prefill : AttentionKind::latent_decode;
    s.heads = *h;
    s.kv_heads = prefill ? *h : 1;
    s.key_dim = prefill ? kLatentKey : kLatent + kRope;
    s.value_dim = prefill ? kLatentValue : kLatent;
    s.kv_bytes = prefill ? 2 * (kLatentKey + kLatentValue) : (kLatent + kRope) * element_bytes(row->cache);
    rows.push_back(std::move(*row));
  }
  return rows;
}

}  // namespace tpsim
