// Answers to the method "predict": rows of a sweep, from analyses that are kept between questions.
#pragma once

#include <list>
#include <string>

#include "cli/options.h"
#include "cli/sweep_cell.h"

namespace tpsim::cli {

class ServePredictions {
public:
  // The row of each point, as a JSON document (tpsim.predict/1). Lists are taken for batch, prompt and ctx only, up to
  // 10,000 points. Files are read anew when their size or time of change differs.
  Result<std::string> answer(const Options& options);

private:
  struct Kept {
    std::string question;  // all but the lengths, with the files' state
    Lengths tried;         // the largest on which the short way was tried
    int tp = 1;
    SweepCell cell;
  };
  Result<Kept*> cell_for(const Options& options, const Lengths& largest);

  std::list<Kept> kept_;  // the last one used first
};

}  // namespace tpsim::cli
