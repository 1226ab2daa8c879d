#include <algorithm>

#include "cli/shard_text.h"
#include "cli/text.h"
#include "gui/model/shard_bytes.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

// The weight as a rectangle: rows down, columns across; a stack of experts is a stack of rows.
struct Picture {
  ImVec2 low, size;
  int dim = -1;
  std::int64_t extent = 1;
  bool across = false;  // the cut runs along columns

  ImVec2 corner(std::int64_t begin) const {
    const float share = static_cast<float>(static_cast<double>(begin) / static_cast<double>(extent));
    return across ? ImVec2(low.x + size.x * share, low.y) : ImVec2(low.x, low.y + size.y * share);
  }
  ImVec2 far_corner(std::int64_t end) const {
    const ImVec2 c = corner(end);
    return across ? ImVec2(c.x, low.y + size.y) : ImVec2(low.x + size.x, c.y);
  }
};

Picture place(const App& app, const Ui& ui, const ShardSpec& spec, ImVec2 low, ImVec2 room) {
  Picture p{low, room, cut_dim(spec.placement), 1, false};
  const int rank = spec.shape.rank();
  p.across = p.dim >= 0 && p.dim == rank - 1 && rank > 1;
  p.extent = p.dim >= 0 ? std::max<std::int64_t>(spec.shape[p.dim], 1) : 1;
  if (rank < 2 || !app.view.to_scale) return p;
  const double ratio = static_cast<double>(spec.shape[-1]) /
                       static_cast<double>(std::max<std::int64_t>(spec.shape[rank == 3 && p.dim == 0 ? 0 : -2], 1));
  const float height = room.x / static_cast<float>(std::clamp(ratio, 0.2, 12.0));
  if (height < room.y) p.size.y = std::max(height, ui.px(70));
  if (height > room.y) p.size.x = std::max(room.y * static_cast<float>(std::clamp(ratio, 0.2, 12.0)), ui.px(160));
  return p;
}

void piece(App& app, Ui& ui, const Picture& p, const ShardSpec& spec, std::size_t rank, Range range) {
  const ImVec2 a = p.corner(range.begin), b = p.far_corner(range.end);
  const bool faded = app.view.solo_rank >= 0 && app.view.solo_rank != static_cast<int>(rank);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const Rgb rgb = ui.theme->strategy[rank % 7];
  list->AddRectFilled(a, b, ui.color(rgb, faded ? 0.08F : 0.45F));
  hatch(list, a, b, static_cast<int>(rank % 4), ui.color(ui.theme->background, faded ? 0.1F : 0.35F), ui.px(9));
  list->AddRect(a, b, ui.color(ui.theme->background), 0, 0, ui.px(1.5F));
  ui.add("rank " + std::to_string(rank) + "@" + std::to_string(range.begin), "shard", cli::ranges_text({range}),
         cli::spaced_shape(spec.ranks[rank].shape), a, b);
  if (!ImGui::IsMouseHoveringRect(a, b) || !ImGui::IsWindowHovered()) return;
  ImGui::SetTooltip("rank %d: %s %s, local %s, %s bytes", static_cast<int>(rank), cli::dimension_name(spec).c_str(),
                    cli::ranges_text(spec.ranks[rank].ranges).c_str(),
                    cli::spaced_shape(spec.ranks[rank].shape).c_str(), cli::grouped(spec.ranks[rank].bytes).c_str());
  if (ImGui::IsMouseClicked(0))
    app.view.solo_rank = app.view.solo_rank == static_cast<int>(rank) ? -1 : static_cast<int>(rank);
}

// Over the lines of the heads, so that they do not strike it through.
void piece_label(App& app, Ui& ui, const Picture& p, std::size_t rank, Range range) {
  const ImVec2 a = p.corner(range.begin), b = p.far_corner(range.end);
  const bool faded = app.view.solo_rank >= 0 && app.view.solo_rank != static_cast<int>(rank);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const std::string label = "rank " + std::to_string(rank);
  const ImVec2 text = ImGui::CalcTextSize(label.c_str());
  const std::string& shown = text.x + ui.px(8) < b.x - a.x ? label : std::to_string(rank);
  const ImVec2 size = ImGui::CalcTextSize(shown.c_str());
  if (size.x < b.x - a.x && size.y < b.y - a.y) {
    const ImVec2 at((a.x + b.x - size.x) / 2, (a.y + b.y - size.y) / 2);
    list->AddRectFilled({at.x - ui.px(4), at.y - ui.px(1)}, {at.x + size.x + ui.px(4), at.y + size.y + ui.px(1)},
                        ui.color(ui.theme->background, faded ? 0.3F : 0.75F), ui.px(3));
    list->AddText(at, ui.color(faded ? ui.theme->dim : ui.theme->text), shown.c_str());
  }
}

void head_grid(Ui& ui, const Picture& p, const cli::Heads& heads) {
  if (heads.count <= 0 || heads.count > 256) return;
  ImDrawList* list = ImGui::GetWindowDrawList();
  for (std::int64_t h = 0; h <= heads.count; ++h) {
    const ImVec2 a = p.corner(h * heads.size), b = p.far_corner(h * heads.size);
    list->AddLine(a, p.across ? ImVec2(a.x, b.y) : ImVec2(b.x, a.y), ui.color(ui.theme->text, 0.55F), ui.px(1));
    if (h == heads.count) continue;
    const ImVec2 next = p.corner((h + 1) * heads.size);
    const float room = p.across ? next.x - a.x : next.y - a.y;
    const std::string label = "h" + std::to_string(h);
    const ImVec2 size = ImGui::CalcTextSize(label.c_str());
    if (room > (p.across ? size.x : size.y) + ui.px(4))
      list->AddText({a.x + ui.px(4), a.y + ui.px(2)}, ui.color(ui.theme->dim), label.c_str());
  }
}

// Bounds of the blocks of a packed weight.
void block_marks(Ui& ui, const Picture& p, const ShardSpec& spec) {
  const auto* packed = std::get_if<StridedShard>(&spec.placement);
  if (packed == nullptr) return;
  ImDrawList* list = ImGui::GetWindowDrawList();
  for (int i = 1; i < packed->blocks; ++i) {
    const ImVec2 a = p.corner(p.extent * i / packed->blocks), b = p.far_corner(p.extent * i / packed->blocks);
    list->AddLine(a, p.across ? ImVec2(a.x, b.y) : ImVec2(b.x, a.y), ui.color(ui.theme->text), ui.px(3));
  }
}

// Heads above ranks: which rank holds which head, and which of them two ranks share.
void head_map(Ui& ui, const ShardSpec& spec, const cli::Heads& heads) {
  constexpr std::int64_t most = 128;
  if (heads.count <= 0 || heads.count > most) return;
  std::string text = heads.label + " -> ranks:";
  bool is_cut = false;
  for (std::int64_t h = 0; h < heads.count; ++h) {
    std::vector<int> whole, part;
    for (std::size_t rank = 0; rank < spec.ranks.size(); ++rank)
      for (const Range& r : spec.ranks[rank].ranges) {
        const std::int64_t begin = h * heads.size, end = begin + heads.size;
        if (r.end <= begin || r.begin >= end) continue;
        (r.begin <= begin && r.end >= end ? whole : part).push_back(static_cast<int>(rank));
      }
    is_cut = is_cut || !part.empty();
    text += "  h" + std::to_string(h) + (part.empty() ? "=r" : "!r") +
            cli::joined(part.empty() ? whole : part, part.empty() ? "=r" : "|r");
  }
  ui.wrapped(text, is_cut ? ui.theme->side_b : ui.theme->dim);
  ui.add_last("heads", "text", text, is_cut ? "cut" : "whole");
  if (is_cut) ui.wrapped("! a cut is inside a head: TP102", ui.theme->side_b);
}

void picture(App& app, Ui& ui, const Model& model, const ShardSpec& spec, float height) {
  const ImVec2 low = ImGui::GetCursorScreenPos(), room(ImGui::GetContentRegionAvail().x - ui.px(8), height);
  const Picture p = place(app, ui, spec, low, room);
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (p.dim < 0) {
    const ImVec2 end(low.x + p.size.x, low.y + p.size.y);
    list->AddRectFilled(low, end, ui.color(ui.theme->strategy[4], 0.35F));
    hatch(list, low, end, 3, ui.color(ui.theme->background, 0.3F), ui.px(14));
    const std::string text = "= a full copy on " + cli::plural(static_cast<std::int64_t>(spec.ranks.size()), "rank");
    list->AddText({low.x + ui.px(12), low.y + ui.px(10)}, ui.color(ui.theme->text), text.c_str());
    ui.add("copy", "shard", text, "", low, end);
  } else {
    for (std::size_t rank = 0; rank < spec.ranks.size(); ++rank)
      for (const Range& range : spec.ranks[rank].ranges)
        if (range.size() > 0) piece(app, ui, p, spec, rank, range);
    if (app.view.heads) head_grid(ui, p, cli::heads_of(model, spec));
    block_marks(ui, p, spec);
    for (std::size_t rank = 0; rank < spec.ranks.size(); ++rank)
      for (const Range& range : spec.ranks[rank].ranges)
        if (range.size() > 0) piece_label(app, ui, p, rank, range);
  }
  ImGui::Dummy({p.size.x, p.size.y});
}

// Where the rank's part lies: in its file, where headers of a checkpoint are known, else in the tensor.
std::string on_disk(const ModelSource& source, const ShardSpec& spec, std::size_t rank,
                    const std::vector<std::string>& tensors) {
  const std::string name = tensors.empty() ? "" : tensors.front();
  const CheckpointTensor* tensor =
      source.checkpoint && tensors.size() == 1 ? tensor_named(*source.checkpoint, name) : nullptr;
  const bool same_size = tensor != nullptr && tensor->bytes == spec.bytes;
  if (tensors.size() > 1) return name + " + " + std::to_string(tensors.size() - 1) + " tensors";
  const std::string place = bytes_on_disk(byte_ranges(spec, rank), same_size ? tensor->begin : 0);
  if (!same_size) return place + " of the tensor";
  const std::string& file = source.checkpoint->files[static_cast<std::size_t>(tensor->file)];
  return place + " of " + file.substr(file.rfind('/') + 1);
}

cli::Table rank_table(const ModelSource& source, const Model& model, const ShardSpec& spec,
                      const std::vector<std::string>& files) {
  const cli::Heads heads = cli::heads_of(model, spec);
  cli::Table table;
  table.columns = {{"rank", "rank", true, 0},
                   {"range", cli::dimension_name(spec), false, 0},
                   {"heads", heads.count > 0 ? heads.label : "heads", false, 0},
                   {"shape", "local shape", false, 0},
                   {"bytes", "bytes", true, 0},
                   {"share", "share", true, 0},
                   {"disk", "bytes it reads", false, 0}};
  for (std::size_t rank = 0; rank < spec.ranks.size(); ++rank) {
    const RankShard& shard = spec.ranks[rank];
    const double share = spec.bytes > 0 ? static_cast<double>(shard.bytes) / static_cast<double>(spec.bytes) : 0;
    cli::Row row;
    row.cells = {cli::cell(static_cast<std::int64_t>(rank)),
                 cli::cell(cli::ranges_text(shard.ranges)),
                 heads.count > 0 ? cli::cell(cli::heads_text(shard.ranges, heads)) : cli::no_value(),
                 cli::cell(cli::spaced_shape(shard.shape)),
                 cli::cell(shard.bytes, cli::grouped(shard.bytes)),
                 cli::cell(share, 4, percent_text(share)),
                 cli::cell(on_disk(source, spec, rank, files))};
    table.rows.push_back(std::move(row));
  }
  return table;
}

bool uneven(const ShardSpec& spec) {
  return std::any_of(spec.ranks.begin(), spec.ranks.end(),
                     [&](const RankShard& r) { return r.bytes != spec.ranks.front().bytes; });
}

std::string heading(const ShardSpec& spec) {
  return spec.pattern + "    " + cli::spaced_shape(spec.shape) + " " + to_string(spec.dtype) + "    " +
         (spec.strategy.empty() ? "no rule" : spec.strategy) + " -> " + to_string(spec.placement) +
         (uneven(spec) ? "    uneven" : "") + (spec.count > 1 ? "    x" + std::to_string(spec.count) : "");
}

}  // namespace

void shards_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const ModuleRow* row = app.selected_row();
  if (row == nullptr || !row->is_leaf()) {
    if (ui.empty_state("Choose a module with weights: in the graph, in the tree, or with Ctrl+P.",
                       "First projection")) {
      const int first = find_module(app.modules, "q_proj");
      for (std::size_t i = 0; i < app.modules.size() && first < 0; ++i)
        if (app.modules[i].is_leaf()) select(app, app.modules[i].path);
      if (first >= 0) select(app, app.modules[static_cast<std::size_t>(first)].path);
    }
    return;
  }
  const cli::Report& report = *app.shown();
  const Analysis& analysis = report.results.front().forward;
  ui.checkbox("to_scale", "to scale", app.view.to_scale);
  ImGui::SameLine();
  ui.checkbox("heads", "heads (H)", app.view.heads);
  ImGui::SameLine();
  ui.dim("0-9 one rank; Space shows plan B");
  for (const int index : row->specs) {
    const ShardSpec& spec = analysis.shards[static_cast<std::size_t>(index)];
    const PathScope scope(ui, spec.pattern);
    ui.wrapped(heading(spec));
    const bool only = row->specs.size() == 1;
    const float table_height = ui.px(28) * static_cast<float>(std::min<std::size_t>(spec.ranks.size(), 8) + 1);
    const float free = ImGui::GetContentRegionAvail().y - table_height - ui.px(16) -
                       (app.view.heads ? 3 * ImGui::GetTextLineHeightWithSpacing() : 0);
    picture(app, ui, report.scenario.model(), spec,
            only                    ? std::max(free, ui.px(120))
            : spec.shape.rank() < 2 ? ui.px(40)
                                    : ui.px(140));
    if (app.view.heads && cut_dim(spec.placement) >= 0)
      head_map(ui, spec, cli::heads_of(report.scenario.model(), spec));
    ImGui::BeginChild("ranks", {0, table_height});
    draw_table(ui, app, "ranks",
               rank_table(report.scenario.input.source, report.scenario.model(), spec,
                          checkpoint_names(report.scenario.model(), names(spec).front())));
    ImGui::EndChild();
  }
}

}  // namespace tpsim::gui
