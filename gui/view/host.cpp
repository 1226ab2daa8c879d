#include "gui/view/host.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>

#include "gui/view/keys.h"

namespace tpsim::gui {
namespace {

constexpr float kFontSize = 14.5F;

const char* find_first(const std::vector<const char*>& files) {
  std::error_code failed;
  for (const char* file : files)
    if (std::filesystem::exists(file, failed)) return file;
  return nullptr;
}

const char* system_font(const char* weight) {
  static const std::string folders[] = {"/usr/share/fonts/truetype/dejavu/", "/usr/share/fonts/dejavu/",
                                        "/usr/share/fonts/dejavu-sans-fonts/", "/usr/share/fonts/TTF/"};
  static std::string found[3];
  const std::string_view name(weight);
  std::string& slot = found[name == "DejaVuSans.ttf" ? 0 : name == "DejaVuSans-Bold.ttf" ? 1 : 2];
  for (const std::string& folder : folders) {
    slot = folder + weight;
    if (const char* file = find_first({slot.c_str()})) return file;
  }
  return nullptr;
}

void add_builtin(Ui& ui) {
  ImFontConfig config;
  config.SizePixels = std::round(13 * ui.scale);
  ui.fonts.regular = ui.fonts.bold = ui.fonts.mono = ImGui::GetIO().Fonts->AddFontDefault(&config);
}

}  // namespace

void load_fonts(Ui& ui, const std::string& font) {
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  atlas.Clear();
  const float size = std::round(kFontSize * ui.scale);
  const char* regular = font.empty() ? system_font("DejaVuSans.ttf") : font == "builtin" ? nullptr : font.c_str();
  if (regular == nullptr) {
    add_builtin(ui);
  } else {
    const char *bold = font.empty() ? system_font("DejaVuSans-Bold.ttf") : nullptr,
               *mono = font.empty() ? system_font("DejaVuSansMono.ttf") : nullptr;
    ui.fonts.regular = atlas.AddFontFromFileTTF(regular, size);
    ui.fonts.bold = atlas.AddFontFromFileTTF(bold ? bold : regular, size);
    ui.fonts.mono = atlas.AddFontFromFileTTF(mono ? mono : regular, size);
  }
  atlas.Build();
}

Atlas font_atlas() {
  Atlas atlas;
  unsigned char* pixels = nullptr;
  ImGui::GetIO().Fonts->GetTexDataAsAlpha8(&pixels, &atlas.width, &atlas.height);
  atlas.alpha = pixels;
  return atlas;
}

Result<std::unique_ptr<Host>> Host::create(App app, const HostOptions& options) {
  std::unique_ptr<Host> host(new Host);
  host->app_ = std::move(app);
  IMGUI_CHECKVERSION();
  host->context_ = ImGui::CreateContext();
  ImGui::SetCurrentContext(host->context_);
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.DisplaySize = {static_cast<float>(options.width), static_cast<float>(options.height)};
  io.DeltaTime = 1.0F / 60;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
  io.ConfigFlags |= ImGuiConfigFlags_NavEnableKeyboard;
  io.ConfigInputTextCursorBlink = false;
  map_keys();
  if (!options.font.empty() && options.font != "builtin" && find_first({options.font.c_str()}) == nullptr)
    return input_error("no such font file", options.font);
  host->painter_.emplace(host->app_, options.font);
  return host;
}

Host::~Host() {
  if (context_ != nullptr) ImGui::DestroyContext(context_);
}

bool Painter::reload_fonts() {
  if (app_.view.font_scale == loaded_scale_) return false;
  ui_.scale = loaded_scale_ = app_.view.font_scale;
  load_fonts(ui_, font_);
  return true;
}

bool Painter::frame(const FrameInput& input) {
  const bool changed = update(app_);
  if (app_.cancel_work) tasks_.cancel();
  app_.cancel_work = false;
  const bool more = !changed && tasks_.step(app_);
  app_.at_work = tasks_.names();
  draw(input);
  return changed || more || tasks_.is_busy();
}

Image Painter::picture() const { return rasterise(*ImGui::GetDrawData(), font_atlas(), ui_.theme->background); }

void Painter::draw(const FrameInput& input) {
  ui_.theme = app_.view.theme == "light" ? &light_theme() : &dark_theme();
  apply_style(ui_);
  ui_.items.clear();
  ImGui::NewFrame();
  draw_frame(app_, ui_, input);
  ImGui::Render();
}

// Drawn anew at its scale, off screen; the next frame is the window's again.
void Painter::save_picture() {
  const Picture wanted = *app_.want_picture;
  app_.want_picture.reset();
  const View before = app_.view;
  ImGuiIO& io = ImGui::GetIO();
  const ImVec2 size = io.DisplaySize;
  if (wanted.scale != 1 || !wanted.panel.empty()) {
    io.DisplaySize = {size.x * wanted.scale, size.y * wanted.scale};
    app_.view.font_scale *= wanted.scale;
    app_.view.graph.zoom *= wanted.scale;
    app_.view.alone = wanted.panel;
    ui_.scale = app_.view.font_scale;
    load_fonts(ui_, font_);
    constexpr int warm_up = 4;
    for (int i = 0; i < warm_up; ++i) draw({});
  }
  const auto written = write_png(picture(), wanted.file);
  if (wanted.scale != 1 || !wanted.panel.empty()) {
    io.DisplaySize = size;
    app_.view = before;
    loaded_scale_ = 0;
  }
  say(app_, written ? "wrote " + wanted.file : written.error().message);
}

bool Host::frame(const FrameInput& input) {
  ImGui::SetCurrentContext(context_);
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu_start = std::clock();
  painter_->reload_fonts();
  const bool more = painter_->frame(input);
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  frame_ms_ = taken.count();
  cpu_ms_ = static_cast<double>(std::clock() - cpu_start) * 1e3 / CLOCKS_PER_SEC;
  if (app_.want_picture) painter_->save_picture();
  return more;
}

void Host::settle(int most) {
  constexpr int warm_up = 4;
  for (int i = 0, quiet = 0; i < most && quiet < warm_up; ++i) quiet = frame() ? 0 : quiet + 1;
}

const Item* Host::find(std::string_view path) const {
  const Item* found = nullptr;
  for (const Item& item : items()) {
    if (item.path == path) return &item;
    const bool ends = item.path.ends_with(path) && item.path[item.path.size() - path.size() - 1] == '/';
    if (ends && found == nullptr) found = &item;
  }
  return found;
}

void Host::move(float x, float y) { feed_mouse(x, y); }
void Host::press(bool down, int button) { feed_button(button, down); }
void Host::wheel(float steps) { feed_wheel(steps); }
void Host::type(const std::string& text) {
  ImGui::GetIO().AddInputCharactersUTF8(text.c_str());
  frame();
}

void Host::key(const std::string& name) {
  feed_keys(name, true);
  frame({{name}, name == "Space"});
  feed_keys(name, false);
  frame();
}

bool Host::click(std::string_view path, bool twice) {
  const Item* item = find(path);
  if (item == nullptr || !item->visible) return false;
  move(item->x + std::min(item->width / 2, 12 * painter_->ui().scale), item->y + item->height / 2);
  frame();
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    press(true);
    frame();
    press(false);
    frame();
  }
  settle();
  return true;
}

bool Host::drag(std::string_view path, float dx, float dy) {
  const Item* item = find(path);
  if (item == nullptr || !item->visible) return false;
  const float x = item->x + item->width / 2, y = item->y + item->height / 2;
  move(x, y);
  frame();
  press(true);
  frame();
  constexpr int steps = 5;
  for (int i = 1; i <= steps; ++i) {
    move(x + dx * static_cast<float>(i) / steps, y + dy * static_cast<float>(i) / steps);
    frame();
  }
  press(false);
  settle();
  return true;
}

Image Host::picture() {
  ImGui::SetCurrentContext(context_);
  return painter_->picture();
}

}  // namespace tpsim::gui
