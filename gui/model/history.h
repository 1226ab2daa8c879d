// Undo and redo: every version of the document with the name of the edit that made it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gui/model/document.h"

namespace tpsim::gui {

class History {
public:
  struct Step {
    std::string name;  // "gate_proj: colwise -> rowwise"
    Document document;
  };

  explicit History(Document first = {}) : steps_{{"start", std::move(first)}} {}

  const Document& current() const { return steps_[at_].document; }
  // A document equal to the current one is no step. Steps with one non-empty merge key that follow each other, such as
  // those of a slider that is dragged, are one.
  void apply(std::string name, Document next, const std::string& merge_key = {});
  void end_merge() { merge_key_.clear(); }
  bool undo();
  bool redo();
  void jump(std::size_t step);
  const std::vector<Step>& steps() const { return steps_; }
  std::size_t position() const { return at_; }

private:
  std::vector<Step> steps_;
  std::size_t at_ = 0;
  std::string merge_key_;
};

}  // namespace tpsim::gui
