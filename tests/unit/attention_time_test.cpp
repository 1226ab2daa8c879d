// Attention: tiles, splits, extrapolation, fits of few rows, JSON.
#include <cmath>

#include "core/json.h"
#include "sim/fit/holdout.h"
#include "sim/kernels/attention_fit.h"
#include "tests/catch.hpp"

namespace {

using namespace tpsim;

Hardware h100() { return *load_hardware("h100-sxm"); }

AttentionModel spec(AttentionKind kind) { return spec_attention_model(h100(), {kind, DType::bf16, 128, false, {}}); }

AttentionShape prefill_shape(double sequences, double query, double prefix = 0) {
  AttentionShape shape;
  shape.sequences = sequences;
  shape.query = query;
  shape.context = query + prefix;
  shape.heads = 32;
  shape.kv_heads = 8;
  return shape;
}

AttentionShape decode_shape(double sequences, double context) { return prefill_shape(sequences, 1, context - 1); }

double us(const AttentionShape& shape, const AttentionModel& model) { return attention_time(shape, model).us; }

// Rows as a kernel of these constants would give them.
std::vector<AttentionRow> rows_of(const AttentionModel& truth) {
  std::vector<AttentionRow> rows;
  for (double heads : {4.0, 8.0, 16.0, 32.0, 64.0})
    for (double sequences : {1.0, 8.0, 64.0})
      for (double context : {128.0, 1024.0, 8192.0, 65536.0}) {
        AttentionRow row;
        row.gpu = "H100-SXM";
        row.kernel = "fa3";
        row.cache = "bf16";
        row.kind = AttentionKind::decode;
        row.shape = decode_shape(sequences, context);
        row.shape.heads = heads;
        row.shape.kv_heads = std::max(1.0, heads / 4);
        row.us = us(row.shape, truth);
        rows.push_back(row);
      }
  return rows;
}

MeasuredTable table(const std::string& text) { return *parse_measured(text, "attention.csv"); }

}  // namespace

TEST_CASE("attention: more tokens, heads, sequences or context never take less", "[sim][attention]") {
  for (AttentionKind kind : {AttentionKind::prefill, AttentionKind::decode}) {
    const AttentionModel model = spec(kind);
    double before[4] = {0, 0, 0, 0};
    for (double step = 1; step < 3e5; step = std::floor(step * 1.07) + 1) {
      AttentionShape longer = kind == AttentionKind::decode ? decode_shape(4, step + 1) : prefill_shape(4, step);
      AttentionShape more = prefill_shape(step, kind == AttentionKind::decode ? 1 : 64, 4095);
      AttentionShape wide = kind == AttentionKind::decode ? decode_shape(4, 4096) : prefill_shape(4, 512);
      wide.heads = wide.kv_heads = step;
      AttentionShape behind = prefill_shape(4, kind == AttentionKind::decode ? 1 : 256, step);
      const double now[4] = {us(longer, model), us(more, model), us(wide, model), us(behind, model)};
      for (int i = 0; i < 4; ++i) {
        CHECK(now[i] >= before[i] * (1 - 1e-12));
        before[i] = now[i];
      }
    }
  }
}

TEST_CASE("attention: a chunk behind a prefix takes as long as its share of the whole triangle", "[sim][attention]") {
  AttentionModel model = spec(AttentionKind::prefill);
  model.constants.start = 0;
  model.constants.tail = 0.02;
  const double whole = us(prefill_shape(1, 32768), model);
  double chunks = 0;
  for (double prefix = 0; prefix < 32768; prefix += 8192) chunks += us(prefill_shape(1, 8192, prefix), model);
  CHECK(chunks == Approx(whole).epsilon(0.05));
}

TEST_CASE("attention: a window bounds the time of long contexts", "[sim][attention]") {
  AttentionShape shape = decode_shape(8, 1e5);
  shape.window = 128;
  const AttentionModel model = spec(AttentionKind::decode);
  const double bounded = us(shape, model);
  shape.context = 1e6;
  CHECK(us(shape, model) == Approx(bounded));
  shape.window = 0;
  CHECK(us(shape, model) > 20 * bounded);
}

TEST_CASE("attention: splits of the context keep one long sequence off one multiprocessor", "[sim][attention]") {
  AttentionModel model = spec(AttentionKind::decode);
  const AttentionShape shape = decode_shape(1, 131072);
  const double split = us(shape, model);
  model.splits = ContextSplits::never;
  CHECK(us(shape, model) > 4 * split);
}

TEST_CASE("attention: few new tokens over a long context run as decode", "[sim][attention]") {
  CHECK(attention_kind(decode_shape(1, 4096), false) == AttentionKind::decode);
  CHECK(attention_kind(prefill_shape(1, 4, 4096), true) == AttentionKind::latent_decode);
  CHECK(attention_kind(prefill_shape(1, 4), false) == AttentionKind::prefill);
  CHECK(attention_kind(prefill_shape(1, 512, 4096), true) == AttentionKind::latent_prefill);
}

TEST_CASE("attention: a fit finds the constants that made its rows", "[sim][attention][fit]") {
  AttentionModel truth = spec(AttentionKind::decode);
  truth.constants.start = 14;
  truth.constants.memory_share = 0.6;
  const std::vector<AttentionRow> rows = rows_of(truth);
  const AttentionModel fitted = fit_attention(rows, spec(AttentionKind::decode));
  AttentionShape unseen = decode_shape(24, 20000);
  unseen.heads = 48;
  CHECK(us(unseen, fitted) == Approx(us(unseen, truth)).epsilon(0.04));
  CHECK(fitted.source == NumberSource::calibrated);
}

TEST_CASE("attention: six rows move the start, not the shape of the prior", "[sim][attention][fit]") {
  const AttentionModel prior = spec(AttentionKind::decode);
  AttentionModel truth = prior;
  truth.constants.start = 2 * prior.constants.start;
  std::vector<AttentionRow> rows = rows_of(truth);
  rows.resize(6);
  const AttentionModel fitted = fit_attention(rows, prior);
  CHECK(fitted.constants.start == Approx(truth.constants.start).epsilon(0.1));
  CHECK(fitted.constants.wave == prior.constants.wave);
  CHECK(fitted.residual.empty());
}

TEST_CASE("attention: other head sizes and devices are transferred, with a wider band", "[sim][attention]") {
  AttentionModel own = spec(AttentionKind::decode);
  own.kernel = "fa3";
  own.source = NumberSource::calibrated;
  own.band = {{0}, {0.1}};
  const AttentionCalibration calibration{{own}};
  AttentionChoice choice{AttentionKind::decode, DType::bf16, 128, false, {}};
  CHECK(attention_model(&calibration, h100(), choice) == own);
  choice.key_dim = 192;
  const AttentionModel wider = attention_model(&calibration, h100(), choice);
  CHECK(wider.source == NumberSource::transferred);
  CHECK(wider.band.at(3) > 0.3);
  const AttentionModel elsewhere = attention_model(&calibration, *load_hardware("mi300x"), choice);
  CHECK(elsewhere.source == NumberSource::transferred);
  CHECK(elsewhere.device.bandwidth > own.device.bandwidth);
  CHECK(attention_model(nullptr, h100(), choice).source == NumberSource::spec);
}

TEST_CASE("attention: a calibration survives JSON", "[sim][attention]") {
  AttentionModel model = spec(AttentionKind::latent_decode);
  model.splits = ContextSplits::never;
  model.constants.occupancy = 1.5;
  const Value value = to_value(AttentionCalibration{{model}});
  const auto parsed = parse_json(to_json(value), "c.json");
  REQUIRE(parsed);
  const auto back = read_attention_calibration(*parsed, "mla");
  REQUIRE(back);
  CHECK(back->models.front().splits == ContextSplits::never);
  CHECK(back->models.front().kind == AttentionKind::latent_decode);
  CHECK(back->models.front().constants.occupancy == Approx(1.5));
}

TEST_CASE("attention: a faulty calibration says what is wrong", "[sim][attention]") {
  const auto bad = read_attention_calibration(Value{ValueObject{}}, "mla");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message == "mla: expected {\"models\": [...]}");
}

TEST_CASE("attention: rows are read with their faults named", "[sim][attention][measured]") {
  const std::string header = "gpu,kernel,kv_dtype,batch,seq_q,kv_len,n_q,n_kv,head_dim,window,time_us\n";
  const auto rows = read_attention_rows(table(header + "H100-SXM,fa3,fp8,2,1,100,32,8,128,0,11.5\n"));
  REQUIRE(rows);
  CHECK(rows->front().kind == AttentionKind::decode);
  CHECK(rows->front().shape.kv_bytes == 256);
  const auto bad = read_attention_rows(table(header + "H100-SXM,fa3,bf16,2,64,32,32,8,128,0,11.5\n"));
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.find("kv_len is below seq_q") != std::string::npos);
}

TEST_CASE("attention: nothing to attend takes no time", "[sim][attention]") {
  CHECK(us(prefill_shape(0, 128), spec(AttentionKind::prefill)) == 0);
}
