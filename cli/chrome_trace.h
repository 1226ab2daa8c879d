// Events in Chrome's trace format, which Perfetto and chrome://tracing show and the PyTorch profiler writes.
#pragma once

#include <functional>
#include <string_view>

#include "cli/json_writer.h"

namespace tpsim::cli {

struct TracePlace {
  int process = 1, thread = 1;
};

// Writes into an open array. Times are rounded to nanoseconds at both ends, so that slices which touch still do.
class ChromeTrace {
public:
  explicit ChromeTrace(JsonWriter& json) : json_(json) {}

  // Viewers show processes and threads in the order of their numbers.
  void name_process(int process, std::string_view name);
  void name_thread(TracePlace place, std::string_view name);

  using Arguments = std::function<void(JsonWriter&)>;  // members of an open object
  void slice(TracePlace place, std::string_view name, std::string_view category, double begin_us, double end_us,
             const Arguments& arguments);

  // An arrow through the slices that `at_us` lies in: one call for each place in turn, the same name and number for
  // all.
  enum class FlowStep { first, next, last };
  void flow(TracePlace place, std::string_view name, int number, FlowStep step, double at_us);

private:
  void head(std::string_view phase, std::string_view name, TracePlace place);
  void metadata(std::string_view what, TracePlace place, std::string_view member, std::string_view text);
  void order(std::string_view what, TracePlace place, int index);

  JsonWriter& json_;
};

}  // namespace tpsim::cli
