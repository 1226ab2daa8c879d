#include <cstdlib>

#include "tests/gui/gui_fixture.h"

// Pictures of panels against stored ones. They are drawn by our own rasteriser with the built-in font, so they depend
// on Dear ImGui alone; TPSIM_UPDATE_PICTURES=1 writes them anew.

namespace tpsim::gui {
namespace {

struct Scene {
  const char* name;
  const char* panel;
  const char* select;
  float scale;
};
constexpr Scene kScenes[] = {{"graph", "graph", "gate_proj", 1},
                             {"shards", "shards", "k_proj", 1},
                             {"memory", "memory", "", 1},
                             {"speed_up", "speed_up", "", 1},
                             {"timeline", "timeline", "", 1},
                             {"inspector-2x", "inspector", "k_proj", 2},
                             {"problems", "problems", "gate_proj", 1}};

Image picture_of(const Scene& scene) {
  auto host = host_of(llama(), 800, 480);
  host->app().view.font_scale = scene.scale;
  host->app().view.alone = scene.panel;
  if (*scene.select != 0) select_pattern(host->app(), scene.select);
  host->settle();
  return host->picture();
}

}  // namespace

TEST_CASE("panels look as they are stored", "[gui][pictures]") {
  if (IMGUI_VERSION_NUM / 100 != 186) {
    WARN("skipped: stored pictures are of Dear ImGui 1.86");
    return;
  }
  for (const Scene& scene : kScenes) {
    CAPTURE(scene.name);
    const std::string file = std::string("tests/gui/pictures/") + scene.name + ".png";
    const Image now = picture_of(scene);
    if (std::getenv("TPSIM_UPDATE_PICTURES") != nullptr) REQUIRE(write_png(now, file));
    const auto stored = read_png(file);
    REQUIRE(stored);
    CHECK(difference(now, *stored, 2) <= 0.001);
  }
}

}  // namespace tpsim::gui
