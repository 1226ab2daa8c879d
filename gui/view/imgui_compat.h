// What is spelt otherwise in Dear ImGui from 1.87 on. Debian 12 has 1.86.
#pragma once

#include <imgui.h>

namespace tpsim::gui {

#if IMGUI_VERSION_NUM >= 19000
inline constexpr ImGuiChildFlags kBordered = 1;  // ImGuiChildFlags_Border, later ImGuiChildFlags_Borders
#else
inline constexpr bool kBordered = true;
#endif

#if IMGUI_VERSION_NUM >= 18970
inline constexpr ImGuiSelectableFlags kSelectableOverlap = ImGuiSelectableFlags_AllowOverlap;
#else
inline constexpr ImGuiSelectableFlags kSelectableOverlap = ImGuiSelectableFlags_AllowItemOverlap;
#endif

#if IMGUI_VERSION_NUM >= 19140
inline constexpr ImGuiCol kFocusColor = ImGuiCol_NavCursor;
#else
inline constexpr ImGuiCol kFocusColor = ImGuiCol_NavHighlight;
#endif

#if IMGUI_VERSION_NUM >= 19200
inline void push_font(ImFont* font) { ImGui::PushFont(font, 0); }
inline float font_size(const ImFont* font) { return font->LegacySize; }
#else
inline void push_font(ImFont* font) { ImGui::PushFont(font); }
inline float font_size(const ImFont* font) { return font->FontSize; }
#endif

}  // namespace tpsim::gui
