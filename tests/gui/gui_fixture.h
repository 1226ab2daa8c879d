// The visualizer without a window, driven as scripts drive it.
#pragma once

#include <memory>
#include <string>

#include "gui/view/host.h"
#include "tests/catch.hpp"

namespace tpsim::gui {

inline Document llama(int tp = 4) {
  Document d;
  d.model = "meta-llama/Llama-3.1-70B";
  d.tp = tp;
  return d;
}

inline std::unique_ptr<Host> host_of(Document d, int width = 1600, int height = 900) {
  HostOptions options;
  options.width = width;
  options.height = height;
  options.font = "builtin";
  auto host = Host::create(make_app(std::move(d)), options);
  REQUIRE(host);
  (*host)->settle();
  return std::move(*host);
}

inline std::string label_of(const Host& host, std::string_view path) {
  const Item* item = host.find(path);
  return item ? item->label : "(no " + std::string(path) + ")";
}

}  // namespace tpsim::gui
