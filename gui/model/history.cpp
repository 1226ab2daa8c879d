#include "gui/model/history.h"

namespace tpsim::gui {

void History::apply(std::string name, Document next, const std::string& merge_key) {
  if (next == current()) return;
  steps_.resize(at_ + 1);
  if (!merge_key.empty() && merge_key == merge_key_ && at_ > 0) {
    steps_[at_] = {std::move(name), std::move(next)};
  } else {
    steps_.push_back({std::move(name), std::move(next)});
    ++at_;
  }
  merge_key_ = merge_key;
}

bool History::undo() {
  end_merge();
  if (at_ == 0) return false;
  --at_;
  return true;
}

bool History::redo() {
  end_merge();
  if (at_ + 1 >= steps_.size()) return false;
  ++at_;
  return true;
}

void History::jump(std::size_t step) {
  end_merge();
  if (step < steps_.size()) at_ = step;
}

}  // namespace tpsim::gui
