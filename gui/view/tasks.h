// Work that may take longer than a frame: the sweep over TP sizes, repairs, consequences of strategies, files, and
// evaluations that were slow before. A task runs on values of its own and gives what is to be put into the App.
#pragma once

#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "gui/view/app.h"

namespace tpsim::gui {

struct Task {
  std::string name;  // shown: "sizes 1 to 16"
  std::string key;   // what it answers; equal keys are the same task
  std::function<Outcome()> run;
};

// The most urgent one; none if everything that is on screen is worked out.
std::optional<Task> next_task(App& app);

class Tasks {
public:
  // Without threads a task runs inside step(), so that pictures and scripts are the same every time.
  explicit Tasks(bool threads) : threads_(threads) {}

  // Takes in what is done and starts the next task. True if the App changed.
  bool step(App& app);
  bool is_busy() const { return !running_.empty(); }
  std::vector<std::string> names() const;
  // What runs now is run to its end, and its outcome thrown away.
  void cancel();

private:
  struct Running {
    std::string name, key;
    std::future<Outcome> outcome;
    bool dropped = false;
  };
  bool take_in(App& app);

  bool threads_;
  std::vector<Running> running_;
};

}  // namespace tpsim::gui
