#include "cli/progress.h"

#include "cli/output.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBar = 14;
constexpr auto kAfter = 300ms, kEvery = 100ms;

std::string bar(double share) {
  const auto full = static_cast<std::size_t>(share * static_cast<double>(kBar));
  return "[" + std::string(full, '#') + std::string(kBar - full, '.') + "]";
}

}  // namespace

Progress::Progress(std::string what, std::int64_t total, const Terminal& err, bool quiet)
    : what_(std::move(what)),
      total_(total),
      shows_(err.interactive && !quiet && total > 0),
      width_(err.width),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (shown_) write_stderr("\r" + std::string(static_cast<std::size_t>(width_ - 1), ' ') + "\r");
}

void Progress::at(std::int64_t done) {
  const auto now = Clock::now();
  if (!shows_ || now - start_ < kAfter || now - last_ < kEvery) return;
  last_ = now;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double share = static_cast<double>(done) / static_cast<double>(total_);
  const double rate = static_cast<double>(done) / seconds;
  std::string line = what_ + " " + grouped(done) + "/" + grouped(total_) + " " + bar(share) + " " +
                     fixed(share * 100, 0) + " %  " + grouped(static_cast<std::int64_t>(rate)) + "/s";
  if (done > 0) line += "  ETA " + fixed(static_cast<double>(total_ - done) / rate, 1) + " s";
  write_stderr("\r" +
               padded(cut_short(line, static_cast<std::size_t>(width_ - 1)), static_cast<std::size_t>(width_ - 1)));
}

}  // namespace tpsim::cli
