// An ImGui context without a window: fonts, input between frames, pictures of what was drawn.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gui/view/frame.h"
#include "gui/view/raster.h"
#include "gui/view/tasks.h"

namespace tpsim::gui {

struct HostOptions {
  int width = 1600, height = 900;
  std::string font;  // a TrueType file, "builtin", or "" for a system font
};

// Loads fonts for the scale into the current context and builds the atlas.
void load_fonts(Ui& ui, const std::string& font);
Atlas font_atlas();

// Draws frames of an App into the current context; what a window and a picture have in common.
class Painter {
public:
  Painter(App& app, std::string font) : app_(app), font_(std::move(font)), tasks_(app.threads) {}
  // True if the atlas is new: the App's font scale is another than before.
  bool reload_fonts();
  // Update, one step of the tasks, draw. True while there is more to come.
  bool frame(const FrameInput& input);
  Image picture() const;
  void save_picture();  // App::want_picture, which is set
  const Ui& ui() const { return ui_; }

private:
  void draw(const FrameInput& input);

  App& app_;
  std::string font_;
  Ui ui_;
  float loaded_scale_ = 0;
  Tasks tasks_;
};

class Host {
public:
  static Result<std::unique_ptr<Host>> create(App app, const HostOptions& options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  App& app() { return app_; }
  const std::vector<Item>& items() const { return painter_->ui().items; }
  const Item* find(std::string_view path) const;  // exact, else the only one that ends so

  // Update, one piece of deferred work, draw. True while there is more to come.
  bool frame(const FrameInput& input = {});
  void settle(int most = 300);  // frames until nothing changes, and a few more
  void move(float x, float y);
  void press(bool down, int button = 0);
  void wheel(float steps);
  void type(const std::string& text);
  void key(const std::string& name);                      // "Ctrl+Z": to widgets and as a shortcut; two frames
  bool click(std::string_view path, bool twice = false);  // false: no such control, or it is not visible
  bool drag(std::string_view path, float dx, float dy);
  Image picture();
  // Of the last frame: by the clock, and of the processor.
  double frame_ms() const { return frame_ms_; }
  double cpu_ms() const { return cpu_ms_; }

private:
  Host() = default;
  App app_;
  std::optional<Painter> painter_;
  ImGuiContext* context_ = nullptr;
  double frame_ms_ = 0, cpu_ms_ = 0;
};

// {"schema": "tpsim.ui/1", "items": [...]}
std::string dump_items(const std::vector<Item>& items);
// Steps of a script; the error names the step.
Result<void> run_script(Host& host, std::string_view text, const std::string& file);

}  // namespace tpsim::gui
