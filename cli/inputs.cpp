#include "cli/inputs.h"

#include <algorithm>
#include <charconv>

#include "cli/text.h"
#include "core/architecture.h"
#include "core/checkpoint_model.h"
#include "core/effective_plan.h"
#include "core/suggest.h"
#include "core/text_file.h"
#include "core/unknown_type.h"
#include "sim/calibration.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kMaxTextBytes = 256u << 20;

Error bad_link(const std::string& text) {
  Error error = usage_error("--link: no link \"" + text + "\"");
  error.details.push_back("links of the catalogue: tpsim hardware list");
  error.fixes = {"--link 450   (GB/s per GPU and direction)"};
  return error;
}

// "450", "450GBps", "450 GB/s"
std::optional<BytesPerSecond> parse_gigabytes(const std::string& text) {
  double value = 0;
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  const bool known = unit.empty() || unit == "GBps" || unit == "GB/s" || unit == " GB/s";
  if (status != std::errc() || !known || !(value > 0) || value > 1e6) return std::nullopt;
  return BytesPerSecond{value * 1e9};
}

Result<Link> find_link(const std::string& text, const Link& current) {
  if (const auto rate = parse_gigabytes(text)) {
    Link link = current;
    link.name = text + " (--link)";
    link.per_direction = *rate;
    return link;
  }
  for (const auto& name : hardware_names()) {
    const auto hardware = load_hardware(name);
    if (!hardware) return hardware.error();
    if (hardware->link.name == text) return hardware->link;
    if (hardware->network.name == text) return hardware->network;
  }
  return bad_link(text);
}

PlanKind plan_kind(const std::optional<std::string>& plan) {
  if (!plan || *plan == "auto") return PlanKind::automatic;
  return *plan == "none" ? PlanKind::none : PlanKind::manual;
}

bool is_described(const std::string& model_type) {
  const auto types = described_model_types();
  return std::find(types.begin(), types.end(), model_type) != types.end();
}

// From the headers; a family that the config names is held against them.
Result<Model> from_headers(const ModelSource& source, const std::string& type, const Dialect& dialect) {
  auto model = model_from_checkpoint(*source.checkpoint, type);
  const auto guess = model && source.config ? guess_family(*source.config, dialect) : std::nullopt;
  if (guess && guess->model)
    model->unknown_parts.push_back("whether it is a \"" + guess->model_type + "\" (" + guess->because +
                                   "): " + agreement(*guess->model, *source.checkpoint) +
                                   ": --set model_type=" + guess->model_type);
  return model;
}

// From the description of its type; for other types from the checkpoint's headers, if there are any.
Result<Model> build(const ModelSource& source, const Dialect& dialect) {
  const std::string type = source.config ? source.config->model_type : "";
  if (source.checkpoint && !is_described(type)) return from_headers(source, type, dialect);
  if (source.config && !is_described(type)) return unknown_type_error(*source.config, dialect);
  const auto architecture = load_architecture(type, dialect);
  if (!architecture) return architecture.error();
  return build_model(*architecture, *source.config);
}

// The text that stands in place of the flag's file, else nullptr.
const std::string* given_text(const Options& options, const char* flag) {
  const auto it = options.texts.find(flag);
  return it == options.texts.end() ? nullptr : &it->second;
}

Result<std::string> read_given(const Options& options, const char* flag, const std::string& path) {
  if (const std::string* const given = given_text(options, flag)) return *given;
  return read_input(path);
}

Result<Plan> read_plan_of(const Options& options, const char* flag, const std::string& path, std::string* text) {
  auto read = read_given(options, flag, path);
  if (!read) return read.error();
  auto plan = read_plan(*read, path == "-" ? "standard input" : path);
  if (text != nullptr) *text = std::move(*read);
  return plan;
}

constexpr std::string_view kBuiltIn = "builtin:";

// "builtin:llama": what the config class of that type ships, for any model.
Result<PlanInput> built_in_plan(const Options& options) {
  const std::string type = options.plan->substr(kBuiltIn.size());
  const ShippedPlans shipped = shipped_plans(type, options.dialect);
  if (!shipped.has_config_plan) {
    Error error = usage_error("no plan is shipped for \"" + type + "\" in " + to_string(options.dialect));
    const auto near = nearest(type, described_model_types());
    if (!near.empty()) error.details.push_back("nearest model types: " + joined(near, ", "));
    return error;
  }
  PlanInput input;
  input.choice.kind = PlanKind::manual;
  input.choice.base_plan = true;
  input.choice.plan = shipped.config_plan;
  input.choice.plan.name = *options.plan;
  return input;
}

}  // namespace

Result<void> check_standard_input(const Options& options) {
  int users = 0;
  for (const auto* input : {&options.model, &options.plan, &options.ep_plan, &options.strategy_file})
    users += *input == "-";
  if (users <= 1) return {};
  return usage_error("only one input can be standard input (-)");
}

Result<std::string> read_input(const std::string& path) {
  return path == "-" ? read_standard_input(kMaxTextBytes) : read_text_file(path, kMaxTextBytes);
}

Result<StrategySet> load_strategies(const Options& options) {
  if (!options.strategy_file) return StrategySet{};
  const auto text = read_given(options, "strategy-file", *options.strategy_file);
  if (!text) return text.error();
  return read_strategies(*text, *options.strategy_file);
}

Result<void> use_profile(Hardware& hardware, const std::string& path) {
  constexpr std::size_t most = 64u << 20;
  const auto text = read_text_file(path, most);
  if (!text) return text.error();
  auto calibration = read_calibration(*text, path);
  if (!calibration) return calibration.error();
  hardware.own_profile = std::make_shared<const Calibration>(std::move(*calibration));
  return {};
}

Result<Stack> load_stack(const Options& options, const Hardware& hardware) {
  if (!options.stack && hardware.own_profile && hardware.own_profile->stack) return *hardware.own_profile->stack;
  return stack_named(options.stack.value_or("forward"), hardware.name);
}

namespace {

// --hw, else what the profile was measured on.
Result<Hardware> named_hardware(const Options& options) {
  if (const std::string* const own = given_text(options, "hw")) return read_hardware(*own, *options.hardware);
  if (options.profile && !options.hardware) {
    Hardware of_profile;
    if (auto used = use_profile(of_profile, *options.profile); !used) return used.error();
    if (of_profile.own_profile->machine) return *of_profile.own_profile->machine;
    if (!of_profile.own_profile->hardware.empty()) return load_hardware(of_profile.own_profile->hardware);
  }
  return load_hardware(options.hardware.value_or(kDefaultHardware));
}

}  // namespace

Result<Hardware> load_hardware_input(const Options& options) {
  auto hardware = named_hardware(options);
  if (!hardware) return hardware;
  if (options.link) {
    const auto link = find_link(*options.link, hardware->link);
    if (!link) return link.error();
    hardware->link = *link;
  }
  if (options.nodes) {
    const int gpus = options.gpus.value_or(*options.nodes * hardware->devices_per_node);
    if (gpus % *options.nodes != 0) {
      return usage_error("--gpus " + std::to_string(gpus) + " cannot be spread evenly over --nodes " +
                         std::to_string(*options.nodes));
    }
    hardware->devices_per_node = gpus / *options.nodes;
  }
  if (auto usable = check_calibration(*hardware); !usable) return usable.error();
  if (options.profile) {
    if (auto used = use_profile(*hardware, *options.profile); !used) return used.error();
  }
  return hardware;
}

Result<ModelInput> load_model(const Options& options) {
  ModelSourceOptions how;
  how.set = options.set;
  if (options.max_header) how.limits.header_bytes = *options.max_header;
  const std::string* const config = given_text(options, "model");
  auto source = config != nullptr ? model_of_text(*config, *options.model, how) : open_model(*options.model, how);
  if (!source) return source.error();
  auto model = build(*source, options.dialect);
  if (!model) return model.error();
  return ModelInput{std::move(*source), std::move(*model)};
}

Result<PlanInput> load_plan(const Options& options) {
  if (options.plan && options.plan->starts_with(kBuiltIn)) return built_in_plan(options);
  PlanInput input;
  input.choice.kind = plan_kind(options.plan);
  input.choice.base_plan = options.base_plan;
  if (input.choice.kind == PlanKind::manual) {
    auto plan = read_plan_of(options, "plan", *options.plan, &input.text);
    if (!plan) return plan.error();
    input.choice.plan = std::move(*plan);
    input.file = *options.plan;
  } else if (options.base_plan) {
    return usage_error("--base-plan needs a plan file: -p FILE");
  }
  if (options.ep_plan) {
    auto plan = read_plan_of(options, "ep-plan", *options.ep_plan, nullptr);
    if (!plan) return plan.error();
    input.choice.expert_plan = std::move(*plan);
  }
  return input;
}

}  // namespace tpsim::cli
