#include "core/torch_styles.h"

#include <algorithm>
#include <vector>

namespace tpsim {
namespace {

std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
  return out;
}

// "tp.ColwiseParallel" -> "ColwiseParallel"
std::string_view last_name(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

// Of "a=f(1,2),b=3": "a=f(1,2)" and "b=3".
std::vector<std::string_view> arguments_of(std::string_view list) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    const char c = i < list.size() ? list[i] : ',';
    depth += c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1 : 0;
    if (c != ',' || (depth != 0 && i < list.size())) continue;
    if (i > begin) parts.push_back(list.substr(begin, i - begin));
    begin = i + 1;
  }
  return parts;
}

enum class TorchLayout { features, whole, sequence, unreadable };

TorchLayout layout_of(std::string_view text) {
  const std::string_view layout = last_name(text);
  if (layout == "Replicate()") return TorchLayout::whole;
  if (layout == "Shard(-1)" || layout == "Shard(dim=-1)") return TorchLayout::features;
  if (layout == "Shard(1)" || layout == "Shard(dim=1)") return TorchLayout::sequence;
  return TorchLayout::unreadable;
}

bool names_table(std::string_view key) {
  const std::string_view name = last_name(key);
  return name.find("embed") != std::string_view::npos || name == "wte" || name == "word_embeddings";
}

struct StyleCall {
  bool columns = true;  // ColwiseParallel, else RowwiseParallel
  TorchLayout input = TorchLayout::whole, output = TorchLayout::features;
};

std::string strategy_of(const StyleCall& call, std::string_view key) {
  const bool table = names_table(key);
  if (call.columns && call.input == TorchLayout::whole) {
    if (call.output == TorchLayout::features) return table ? "" : "colwise";
    if (call.output == TorchLayout::whole) return table ? "embedding_colwise" : "colwise_gather_output";
  }
  if (!call.columns && call.output == TorchLayout::whole) {
    if (call.input == TorchLayout::features) return table ? "" : "rowwise";
    if (call.input == TorchLayout::whole) return table ? "embedding_rowwise" : "rowwise_split_input";
  }
  return {};
}

std::string refusal_of(const StyleCall& call) {
  if (call.input == TorchLayout::sequence || call.output == TorchLayout::sequence)
    return "no strategy of Transformers keeps the sequence cut between blocks";
  return "no strategy of Transformers has this pair of layouts";
}

// Why an argument cannot be taken, "" where it was.
std::string take(StyleCall& call, std::string_view argument, std::size_t index) {
  const auto equals = argument.find('=');
  const bool keyword = equals != std::string_view::npos && argument.find('(') > equals;
  const std::string name(keyword ? argument.substr(0, equals) : std::string_view());
  const std::string_view value = keyword ? argument.substr(equals + 1) : argument;
  if (name == "use_local_output")
    return value == "True" ? "" : "no strategy of Transformers returns a DTensor (use_local_output)";
  if (!keyword || (name != "input_layouts" && name != "output_layouts"))
    return keyword ? name + " is no argument that tpsim knows"
                   : "argument " + std::to_string(index + 1) + " has no name (torch takes keywords only)";
  const TorchLayout layout = layout_of(value);
  if (layout == TorchLayout::unreadable) return std::string(value) + " is no layout that can be read";
  (name == "input_layouts" ? call.input : call.output) = layout;
  return {};
}

TorchStyle style_from(StyleCall call, std::string_view arguments, std::string_view key) {
  const auto parts = arguments_of(arguments);
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (auto fault = take(call, parts[i], i); !fault.empty()) return {{}, std::move(fault)};
  TorchStyle style{strategy_of(call, key), {}};
  if (style.strategy.empty()) style.refusal = refusal_of(call);
  return style;
}

}  // namespace

std::optional<TorchStyle> read_torch_style(std::string_view text, std::string_view key) {
  const std::string call = without_blanks(text);
  const auto open = call.find('(');
  if (open == std::string::npos || !call.ends_with(')')) return std::nullopt;
  const std::string_view name = last_name(std::string_view(call).substr(0, open));
  const std::string_view arguments = std::string_view(call).substr(open + 1, call.size() - open - 2);
  TorchStyle style;
  if (name == "ColwiseParallel")
    style = style_from({true, TorchLayout::whole, TorchLayout::features}, arguments, key);
  else if (name == "RowwiseParallel")
    style = style_from({false, TorchLayout::features, TorchLayout::whole}, arguments, key);
  else if (name == "SequenceParallel" || name.starts_with("PrepareModule"))
    style.refusal =
        "torch keeps the sequence cut between blocks, which no strategy of Transformers does "
        "(megatron_sequence_parallel, tpsim's own, does)";
  else
    return std::nullopt;
  if (!style.refusal.empty()) {
    constexpr std::size_t most = 80;
    style.refusal = (call.size() > most ? call.substr(0, most) + "..." : call) + ": " + style.refusal;
  }
  return style;
}

}  // namespace tpsim
