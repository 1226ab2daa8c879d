#include "gui/view/keys.h"

#include <imgui.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace tpsim::gui {
namespace {

struct NamedKey {
  std::string_view name;
  ImGuiKey key;
};
constexpr std::array<NamedKey, 21> kKeys = {{{"Tab", ImGuiKey_Tab},
                                             {"Left", ImGuiKey_LeftArrow},
                                             {"Right", ImGuiKey_RightArrow},
                                             {"Up", ImGuiKey_UpArrow},
                                             {"Down", ImGuiKey_DownArrow},
                                             {"PageUp", ImGuiKey_PageUp},
                                             {"PageDown", ImGuiKey_PageDown},
                                             {"Home", ImGuiKey_Home},
                                             {"End", ImGuiKey_End},
                                             {"Insert", ImGuiKey_Insert},
                                             {"Delete", ImGuiKey_Delete},
                                             {"Backspace", ImGuiKey_Backspace},
                                             {"Space", ImGuiKey_Space},
                                             {"Enter", ImGuiKey_Enter},
                                             {"Escape", ImGuiKey_Escape},
                                             {"A", ImGuiKey_A},
                                             {"C", ImGuiKey_C},
                                             {"V", ImGuiKey_V},
                                             {"X", ImGuiKey_X},
                                             {"Y", ImGuiKey_Y},
                                             {"Z", ImGuiKey_Z}}};

bool holds(const std::string& name, std::string_view modifier) {
  return name.find(std::string(modifier) + "+") != std::string::npos;
}

std::string_view letter_of(const std::string& name) {
  const auto plus = name.rfind('+');
  const std::string_view all(name);
  return plus == std::string::npos || plus + 1 == name.size() ? all : all.substr(plus + 1);
}

}  // namespace

#if IMGUI_VERSION_NUM < 18700

void map_keys() {
  for (std::size_t i = 0; i < kKeys.size(); ++i) ImGui::GetIO().KeyMap[kKeys[i].key] = static_cast<int>(i);
}
void feed_mouse(float x, float y) { ImGui::GetIO().MousePos = {x, y}; }
void feed_button(int button, bool down) { ImGui::GetIO().MouseDown[button] = down; }
void feed_wheel(float steps) { ImGui::GetIO().MouseWheel += steps; }
bool key_pressed(int key) { return ImGui::IsKeyPressed(ImGui::GetKeyIndex(key)); }

void feed_keys(const std::string& name, bool down) {
  ImGuiIO& io = ImGui::GetIO();
  io.KeyCtrl = down && holds(name, "Ctrl");
  io.KeyShift = down && holds(name, "Shift");
  io.KeyAlt = down && holds(name, "Alt");
  for (std::size_t i = 0; i < kKeys.size(); ++i)
    if (kKeys[i].name == letter_of(name)) io.KeysDown[i] = down;
}

#else

void map_keys() {}
void feed_mouse(float x, float y) { ImGui::GetIO().AddMousePosEvent(x, y); }
void feed_button(int button, bool down) { ImGui::GetIO().AddMouseButtonEvent(button, down); }
void feed_wheel(float steps) { ImGui::GetIO().AddMouseWheelEvent(0, steps); }
bool key_pressed(int key) { return ImGui::IsKeyPressed(static_cast<ImGuiKey>(key)); }

void feed_keys(const std::string& name, bool down) {
  ImGuiIO& io = ImGui::GetIO();
#if IMGUI_VERSION_NUM < 18900
  const ImGuiKey ctrl = ImGuiKey_ModCtrl, shift = ImGuiKey_ModShift, alt = ImGuiKey_ModAlt;
#else
  const ImGuiKey ctrl = ImGuiMod_Ctrl, shift = ImGuiMod_Shift, alt = ImGuiMod_Alt;
#endif
  if (holds(name, "Ctrl")) io.AddKeyEvent(ctrl, down);
  if (holds(name, "Shift")) io.AddKeyEvent(shift, down);
  if (holds(name, "Alt")) io.AddKeyEvent(alt, down);
  for (const NamedKey& key : kKeys)
    if (key.name == letter_of(name)) io.AddKeyEvent(key.key, down);
}

#endif

}  // namespace tpsim::gui
