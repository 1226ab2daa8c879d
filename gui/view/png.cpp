#include <stb_image.h>
#include <stb_image_write.h>

#include <memory>

#include "cli/output.h"
#include "gui/view/raster.h"

namespace tpsim::gui {
namespace {

void append(void* out, void* data, int size) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

}  // namespace

Result<void> write_png(const Image& image, const std::string& path) {
  std::string bytes;
  if (stbi_write_png_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data(), image.width * 3) == 0)
    return input_error("the picture could not be encoded", path);
  return cli::write_file(path, bytes);
}

Result<Image> read_png(const std::string& path) {
  Image image;
  int channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load(path.c_str(), &image.width, &image.height, &channels, 3), stbi_image_free);
  if (pixels == nullptr) return input_error("not a picture that can be read", path);
  image.rgb.assign(pixels.get(), pixels.get() + static_cast<std::ptrdiff_t>(image.width) * image.height * 3);
  return image;
}

}  // namespace tpsim::gui
