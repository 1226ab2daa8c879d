// tpsim-gui-window: the visualizer in a real window. tpsim-gui starts it where no picture is asked for.
#include <GLFW/glfw3.h>
#include <backends/imgui_impl_glfw.h>
#include <backends/imgui_impl_opengl3.h>

#include <string>
#include <vector>

#include "cli/messages.h"
#include "gui/view/program.h"
#include "gui/view/state_files.h"

namespace tpsim::gui {
namespace {

constexpr double kIdleWait = 0.5;
constexpr int kFramesAfterEvent = 3;

struct WindowState {
  FrameInput input;
  std::vector<std::string> dropped;
  int frames_left = kFramesAfterEvent;
  int x = 0, y = 0, width = 0, height = 0;  // before it filled the screen
};

WindowState& state_of(GLFWwindow* window) { return *static_cast<WindowState*>(glfwGetWindowUserPointer(window)); }

std::string key_name(int key, int scancode) {
  switch (key) {
    case GLFW_KEY_ENTER:
    case GLFW_KEY_KP_ENTER: return "Enter";
    case GLFW_KEY_ESCAPE: return "Escape";
    case GLFW_KEY_BACKSPACE: return "Backspace";
    case GLFW_KEY_SPACE: return "Space";
    case GLFW_KEY_LEFT: return "Left";
    case GLFW_KEY_RIGHT: return "Right";
    case GLFW_KEY_UP: return "Up";
    case GLFW_KEY_DOWN: return "Down";
    case GLFW_KEY_HOME: return "Home";
    case GLFW_KEY_END: return "End";
    case GLFW_KEY_PAGE_UP: return "PageUp";
    case GLFW_KEY_PAGE_DOWN: return "PageDown";
    default: break;
  }
  if (key >= GLFW_KEY_F1 && key <= GLFW_KEY_F12) return "F" + std::to_string(key - GLFW_KEY_F1 + 1);
  const char* const name = glfwGetKeyName(key, scancode);
  std::string text = name ? name : "";
  if (text.size() == 1 && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

void on_key(GLFWwindow* window, int key, int scancode, int action, int mods) {
  WindowState& state = state_of(window);
  state.frames_left = kFramesAfterEvent;
  if (key == GLFW_KEY_SPACE) state.input.space = action != GLFW_RELEASE;
  const std::string name = key_name(key, scancode);
  if (action == GLFW_RELEASE || name.empty()) return;
  if (name == "/" && (mods & GLFW_MOD_SHIFT) != 0) return state.input.keys.push_back("?");
  std::string full;
  if ((mods & GLFW_MOD_CONTROL) != 0) full += "Ctrl+";
  if ((mods & GLFW_MOD_SHIFT) != 0) full += "Shift+";
  if ((mods & GLFW_MOD_ALT) != 0) full += "Alt+";
  state.input.keys.push_back(full + name);
}

void on_drop(GLFWwindow* window, int count, const char** paths) {
  WindowState& state = state_of(window);
  state.frames_left = kFramesAfterEvent;
  state.dropped.insert(state.dropped.end(), paths, paths + count);
}

void wake(GLFWwindow* window) { state_of(window).frames_left = kFramesAfterEvent; }

void set_callbacks(GLFWwindow* window) {
  glfwSetKeyCallback(window, on_key);
  glfwSetDropCallback(window, on_drop);
  glfwSetCursorPosCallback(window, [](GLFWwindow* w, double, double) { wake(w); });
  glfwSetMouseButtonCallback(window, [](GLFWwindow* w, int, int, int) { wake(w); });
  glfwSetScrollCallback(window, [](GLFWwindow* w, double, double) { wake(w); });
  glfwSetCharCallback(window, [](GLFWwindow* w, unsigned) { wake(w); });
  glfwSetFramebufferSizeCallback(window, [](GLFWwindow* w, int, int) { wake(w); });
  glfwSetWindowRefreshCallback(window, wake);
}

Error no_window(const char* why) {
  Error error{ErrorKind::environment, {}, "no window can be opened", {}, {}, {}};
  if (why != nullptr && *why != 0) error.message += std::string(": ") + why;
  error.fixes = {"tpsim gui ... --snapshot picture.png   needs no display",
                 "LIBGL_ALWAYS_SOFTWARE=1 tpsim gui   where only OpenGL is missing",
                 "tpsim report, compare and check give the same answers as text"};
  return error;
}

GLFWwindow* open_window(const HostOptions& options) {
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  return glfwCreateWindow(options.width, options.height, "tpsim", nullptr, nullptr);
}

void present(GLFWwindow* window) {
  int width = 0, height = 0;
  glfwGetFramebufferSize(window, &width, &height);
  glViewport(0, 0, width, height);
  glClear(GL_COLOR_BUFFER_BIT);
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
  glfwSwapBuffers(window);
}

void set_full_screen(GLFWwindow* window, WindowState& state, App& app) {
  if (!app.view.is_full_screen) {
    glfwSetWindowMonitor(window, nullptr, state.x, state.y, state.width, state.height, GLFW_DONT_CARE);
    return;
  }
  GLFWmonitor* const monitor = glfwGetPrimaryMonitor();
  const GLFWvidmode* const mode = monitor ? glfwGetVideoMode(monitor) : nullptr;
  if (mode == nullptr) {
    app.view.is_full_screen = false;
    return say(app, "no monitor to fill");
  }
  glfwGetWindowPos(window, &state.x, &state.y);
  glfwGetWindowSize(window, &state.width, &state.height);
  glfwSetWindowMonitor(window, monitor, 0, 0, mode->width, mode->height, mode->refreshRate);
}

void destroy_font_texture() {
#if IMGUI_VERSION_NUM < 19200
  ImGui_ImplOpenGL3_DestroyFontsTexture();
#else
  ImGui_ImplOpenGL3_DestroyDeviceObjects();
#endif
}

void loop(GLFWwindow* window, App& app, const HostOptions& options, const StateFiles& files) {
  WindowState state;
  glfwSetWindowUserPointer(window, &state);
  Painter painter(app, options.font);
  std::size_t saved = app.history.position();
  while (!app.quit) {
    if (glfwWindowShouldClose(window)) {
      glfwSetWindowShouldClose(window, GLFW_FALSE);
      perform(app, Action::quit);
      state.frames_left = kFramesAfterEvent;
      if (app.quit) break;
    }
    state.frames_left > 0 ? glfwPollEvents() : glfwWaitEventsTimeout(kIdleWait);
    if (state.frames_left <= 0) continue;  // nothing happened
    for (const std::string& path : state.dropped) open_path(app, path);
    if (app.view.is_full_screen != (glfwGetWindowMonitor(window) != nullptr)) set_full_screen(window, state, app);
    state.dropped.clear();
    if (painter.reload_fonts()) destroy_font_texture();
    ImGui_ImplOpenGL3_NewFrame();
    ImGui_ImplGlfw_NewFrame();
    const bool more = painter.frame(state.input);
    state.input.keys.clear();
    present(window);
    state.frames_left = more ? kFramesAfterEvent : state.frames_left - 1;
    if (app.want_picture) {
      painter.save_picture();
      state.frames_left = kFramesAfterEvent;
    }
    if (!app.clipboard.empty()) {
      glfwSetClipboardString(window, app.clipboard.c_str());
      app.clipboard.clear();
    }
    if (saved != app.history.position()) files.autosave(app);
    saved = app.history.position();
  }
}

int run_window(const cli::Options& o) {
  auto startup = start_up(o);
  if (!startup) return report(startup.error());
  const StateFiles files(!o.no_state);
  startup->app.threads = true;
  files.load(startup->app, !o.model.has_value() && o.operands.empty());
  if (glfwInit() != GLFW_TRUE) {
    const char* why = nullptr;
    glfwGetError(&why);
    return report(no_window(why));
  }
  GLFWwindow* const window = open_window(startup->host);
  if (window == nullptr) {
    const char* why = nullptr;
    glfwGetError(&why);
    const int code = report(no_window(why));
    glfwTerminate();
    return code;
  }
  glfwMakeContextCurrent(window);
  glfwSwapInterval(1);
  ImGui::CreateContext();
  ImGui::GetIO().IniFilename = nullptr;
  ImGui::GetIO().ConfigFlags |= ImGuiConfigFlags_NavEnableKeyboard;
  set_callbacks(window);
  WindowState before_loop;  // callbacks may come before the loop's own
  glfwSetWindowUserPointer(window, &before_loop);
  ImGui_ImplGlfw_InitForOpenGL(window, true);
  ImGui_ImplOpenGL3_Init("#version 330");
  loop(window, startup->app, startup->host, files);
  files.save(startup->app);
  ImGui_ImplOpenGL3_Shutdown();
  ImGui_ImplGlfw_Shutdown();
  ImGui::DestroyContext();
  glfwTerminate();
  return 0;
}

}  // namespace
}  // namespace tpsim::gui

int main(int argc, char** argv) {
  const auto invocation = tpsim::gui::parse({argv + (argc > 0 ? 1 : 0), argv + argc});
  return invocation ? tpsim::gui::run_window(invocation->options) : tpsim::gui::report(invocation.error());
}
