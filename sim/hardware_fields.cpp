#include "sim/hardware_fields.h"

#include <algorithm>
#include <utility>

namespace tpsim {
namespace {

constexpr double kMostRate = 1e18, kMostBytes = 1e18, kMostSeconds = 1;

ProfileField text(const char* path, bool required, void (*set)(Hardware&, const std::string&)) {
  ProfileField f;
  f.path = path;
  f.required = required;
  f.set_text = set;
  return f;
}

ProfileField amount(std::string path, Quantity quantity, double least, double most, void (*set)(Hardware&, double)) {
  return ProfileField{std::move(path), FieldKind::amount, quantity, least, most, true, set, nullptr};
}
ProfileField memory_field(const char* path, double least, void (*set)(Hardware&, double)) {
  return amount(path, Quantity::bytes, least, kMostBytes, set);
}
ProfileField rate(const char* path, void (*set)(Hardware&, double)) {
  return amount(path, Quantity::bytes_per_second, 1, kMostRate, set);
}
ProfileField time(const char* path, void (*set)(Hardware&, double)) {
  return amount(path, Quantity::seconds, 0, kMostSeconds, set);
}
ProfileField count(const char* path, double most, void (*set)(Hardware&, double)) {
  return ProfileField{path, FieldKind::count, Quantity::bytes, 1, most, true, set, nullptr};
}
ProfileField fraction(const char* path, void (*set)(Hardware&, double)) {
  return ProfileField{path, FieldKind::fraction, Quantity::bytes, 0.001, 1, true, set, nullptr};
}
ProfileField optional(ProfileField field) {
  field.required = false;
  return field;
}

Bytes whole_bytes(double v) { return Bytes{static_cast<std::int64_t>(v)}; }

template <DType dtype>
ProfileField peak(bool required = false) {
  ProfileField f = amount("peak." + std::string(to_string(dtype)), Quantity::flops_per_second, 1, kMostRate,
                          [](Hardware& h, double v) { h.peak[dtype] = FlopsPerSecond{v}; });
  f.required = required;
  return f;
}

std::vector<ProfileField> make_fields() {
  return {
      text("name", true, [](Hardware& h, const std::string& v) { h.name = v; }),
      text("title", true, [](Hardware& h, const std::string& v) { h.title = v; }),
      text("vendor", false, [](Hardware& h, const std::string& v) { h.vendor = v; }),
      text("architecture", false, [](Hardware& h, const std::string& v) { h.architecture = v; }),
      text("calibration", false, [](Hardware& h, const std::string& v) { h.calibration = v; }),
      memory_field("memory", 1, [](Hardware& h, double v) { h.memory = whole_bytes(v); }),
      rate("memory_bandwidth", [](Hardware& h, double v) { h.memory_bandwidth = {v}; }),
      peak<DType::fp32>(true),
      peak<DType::fp16>(),
      peak<DType::bf16>(),
      peak<DType::fp8>(),
      peak<DType::int8>(),
      peak<DType::int4>(),
      peak<DType::mxfp4>(),
      count("multiprocessors", 1e6, [](Hardware& h, double v) { h.multiprocessors = static_cast<int>(v); }),
      optional(memory_field("l2_cache", 0, [](Hardware& h, double v) { h.l2_cache = whole_bytes(v); })),
      count("devices_per_node", 1024, [](Hardware& h, double v) { h.devices_per_node = static_cast<int>(v); }),
      text("link.name", true, [](Hardware& h, const std::string& v) { h.link.name = v; }),
      rate("link.per_direction", [](Hardware& h, double v) { h.link.per_direction = {v}; }),
      time("link.latency", [](Hardware& h, double v) { h.link.latency = Seconds(v); }),
      time("link.start", [](Hardware& h, double v) { h.link.start = Seconds(v); }),
      optional(time("link.one_shot", [](Hardware& h, double v) { h.link.one_shot = Seconds(v); })),
      ProfileField{"link.shared", FieldKind::flag, Quantity::bytes, 0, 1, false,
                   [](Hardware& h, double v) { h.link.shared = v > 0; }, nullptr},
      text("network.name", true, [](Hardware& h, const std::string& v) { h.network.name = v; }),
      rate("network.per_direction", [](Hardware& h, double v) { h.network.per_direction = {v}; }),
      time("network.latency", [](Hardware& h, double v) { h.network.latency = Seconds(v); }),
      time("network.start", [](Hardware& h, double v) { h.network.start = Seconds(v); }),
      memory_field("runtime_reserve", 0, [](Hardware& h, double v) { h.runtime_reserve = whole_bytes(v); }),
      memory_field("communicator_reserve", 0, [](Hardware& h, double v) { h.communicator_reserve = whole_bytes(v); }),
      time("kernel_floor", [](Hardware& h, double v) { h.kernel_floor = Seconds(v); }),
      fraction("compute_efficiency", [](Hardware& h, double v) { h.compute_efficiency = v; }),
      fraction("attention_efficiency", [](Hardware& h, double v) { h.attention_efficiency = v; }),
      fraction("bandwidth_efficiency", [](Hardware& h, double v) { h.bandwidth_efficiency = v; }),
      fraction("link_efficiency", [](Hardware& h, double v) { h.link_efficiency = v; }),
      fraction("network_efficiency", [](Hardware& h, double v) { h.network_efficiency = v; }),
      ProfileField{"source", FieldKind::number_source, Quantity::bytes, 0, 0, false, nullptr, nullptr},
  };
}

struct UnitSuffix {
  std::string_view suffix;
  Quantity quantity;
  double factor;
};
constexpr UnitSuffix kSuffixes[] = {
    {"_gb_per_s", Quantity::bytes_per_second, 1e9},
    {"_tb_per_s", Quantity::bytes_per_second, 1e12},
    {"_bytes_per_s", Quantity::bytes_per_second, 1},
    {"_flops_per_s", Quantity::flops_per_second, 1},
    {"_tflops", Quantity::flops_per_second, 1e12},
    {"_bytes", Quantity::bytes, 1},
    {"_gib", Quantity::bytes, 1073741824.0},
    {"_us", Quantity::seconds, 1e-6},
    {"_s", Quantity::seconds, 1},
};

const ProfileField* field_at(std::string_view path) {
  const auto it = std::find_if(profile_fields().begin(), profile_fields().end(),
                               [&](const ProfileField& f) { return f.path == path; });
  return it == profile_fields().end() ? nullptr : &*it;
}

}  // namespace

const std::vector<ProfileField>& profile_fields() {
  static const std::vector<ProfileField> all = make_fields();
  return all;
}

FieldMatch match_field(std::string_view path) {
  if (const ProfileField* field = field_at(path)) return {field, 0};
  for (const UnitSuffix& s : kSuffixes) {
    if (!path.ends_with(s.suffix)) continue;
    const ProfileField* field = field_at(path.substr(0, path.size() - s.suffix.size()));
    if (field != nullptr && field->kind == FieldKind::amount && field->quantity == s.quantity) return {field, s.factor};
  }
  return {};
}

}  // namespace tpsim
