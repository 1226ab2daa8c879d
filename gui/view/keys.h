// Input for a context without a window, for the old and the new way of Dear ImGui.
#pragma once

#include <string>

namespace tpsim::gui {

void map_keys();
void feed_mouse(float x, float y);
void feed_button(int button, bool down);
void feed_wheel(float steps);
// "Ctrl+Shift+Z": modifiers and, where widgets know it, the key.
void feed_keys(const std::string& name, bool down);
// In this frame; `key` is an ImGuiKey.
bool key_pressed(int key);

}  // namespace tpsim::gui
