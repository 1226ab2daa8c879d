#include "cli/chrome_trace.h"

#include <cmath>

namespace tpsim::cli {
namespace {

std::int64_t nanoseconds(double us) { return std::llround(us * 1000); }
double in_us(std::int64_t ns) { return static_cast<double>(ns) / 1000; }

}  // namespace

void ChromeTrace::head(std::string_view phase, std::string_view name, TracePlace place) {
  json_.begin_object();
  json_.member("ph", phase);
  json_.member("name", name);
  json_.member("pid", place.process);
  json_.member("tid", place.thread);
}

void ChromeTrace::metadata(std::string_view what, TracePlace place, std::string_view member, std::string_view text) {
  head("M", what, place);
  json_.key("args");
  json_.begin_object();
  json_.member(member, text);
  json_.end_object();
  json_.end_object();
}

void ChromeTrace::order(std::string_view what, TracePlace place, int index) {
  head("M", what, place);
  json_.key("args");
  json_.begin_object();
  json_.member("sort_index", index);
  json_.end_object();
  json_.end_object();
}

void ChromeTrace::name_process(int process, std::string_view name) {
  metadata("process_name", {process, 0}, "name", name);
  order("process_sort_index", {process, 0}, process);
}

void ChromeTrace::name_thread(TracePlace place, std::string_view name) {
  metadata("thread_name", place, "name", name);
  order("thread_sort_index", place, place.thread);
}

void ChromeTrace::slice(TracePlace place, std::string_view name, std::string_view category, double begin_us,
                        double end_us, const Arguments& arguments) {
  const std::int64_t begin = nanoseconds(begin_us), end = nanoseconds(end_us);
  head("X", name, place);
  json_.member("cat", category);
  json_.member("ts", in_us(begin), 3);
  json_.member("dur", in_us(end - begin), 3);
  json_.key("args");
  json_.begin_object();
  arguments(json_);
  json_.end_object();
  json_.end_object();
}

void ChromeTrace::flow(TracePlace place, std::string_view name, int number, FlowStep step, double at_us) {
  const char* const phase = step == FlowStep::first ? "s" : step == FlowStep::next ? "t" : "f";
  head(phase, name, place);
  json_.member("cat", "flow");
  json_.member("id", number);
  if (step != FlowStep::first) json_.member("bp", "e");
  json_.member("ts", in_us(nanoseconds(at_us)), 3);
  json_.end_object();
}

}  // namespace tpsim::cli
