#include "cli/valid_text.h"

#include <map>

#include "cli/text.h"

namespace tpsim::cli {

std::string sizes_text(const ValidSizes& sizes, int up_to) {
  std::string text = sizes.tp.empty() ? "none up to " + std::to_string(up_to) : size_list(sizes.tp);
  if (sizes.limit) text += " (TP " + std::to_string(sizes.limit->tp) + ": " + sizes.limit->message + ")";
  return text;
}

std::string pairs_text(const ValidSizes& sizes) {
  std::map<int, std::vector<int>> by_ep;
  for (const auto& [tp, ep] : sizes.tp_ep) by_ep[ep].push_back(tp);
  std::string text;
  for (const auto& [ep, tps] : by_ep)
    text += (text.empty() ? "with ep " : "; with ep ") + std::to_string(ep) + ": tp " + size_list(tps);
  return text;
}

void write_valid_sizes(JsonWriter& json, const ValidSizes& sizes) {
  json.array("valid_tp", sizes.tp);
  if (sizes.limit) {
    json.key("valid_tp_limit");
    json.begin_object();
    json.member("tp", sizes.limit->tp);
    json.member("code", sizes.limit->code);
    json.member("message", sizes.limit->message);
    json.end_object();
  }
  json.key("valid_tp_ep");
  json.begin_array();
  for (const auto& [tp, ep] : sizes.tp_ep) {
    json.begin_object();
    json.member("tp", tp);
    json.member("ep", ep);
    json.end_object();
  }
  json.end_array();
}

}  // namespace tpsim::cli
