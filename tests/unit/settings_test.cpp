#include "cli/settings.h"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "cli/arguments.h"
#include "tests/catch.hpp"
#include "tests/scratch.h"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

// A folder as working folder and home, and the environment as it was afterwards.
class Surroundings {
public:
  Surroundings() : before_(std::filesystem::current_path()) {
    for (const char* name :
         {"HOME", "XDG_CONFIG_HOME", "TPSIM_CONFIG", "TPSIM_HW", "TPSIM_ASCII", "NO_COLOR", "CLICOLOR_FORCE"})
      set(name, "");
    set("HOME", scratch_.path("home"));
    scratch_.write("work/inner/file", "");
    std::filesystem::current_path(scratch_.path("work/inner"));
  }
  ~Surroundings() {
    std::filesystem::current_path(before_);
    for (const auto& [name, value] : old_)
      value.empty() ? unsetenv(name.c_str()) : setenv(name.c_str(), value.c_str(), 1);
  }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  void set(const std::string& name, const std::string& value) {
    const char* const now = std::getenv(name.c_str());
    old_.emplace(name, now == nullptr ? "" : now);
    setenv(name.c_str(), value.c_str(), 1);
  }
  std::string write(const std::string& name, const std::string& text) const { return scratch_.write(name, text); }

private:
  Scratch scratch_;
  std::filesystem::path before_;
  std::map<std::string, std::string> old_;
};

Options parsed(const std::vector<std::string>& words) {
  const auto settings = load_settings();
  REQUIRE(settings);
  const auto invocation = parse_arguments(words, *settings);
  REQUIRE(invocation);
  return invocation->options;
}

Error refused(const std::vector<std::string>& words) {
  const auto settings = load_settings();
  if (!settings) return settings.error();
  const auto invocation = parse_arguments(words, *settings);
  REQUIRE_FALSE(invocation);
  return invocation.error();
}

}  // namespace

TEST_CASE("settings: flag before environment before project before user", "[settings]") {
  Surroundings s;
  CHECK_FALSE(parsed({"report", "-m", "x"}).hardware);
  s.write("home/.config/tpsim/config.json", R"({"hw": "h200", "batch": 3, "units": "si", "ascii": true})");
  CHECK(parsed({"report", "-m", "x"}).hardware == "h200");
  s.write("work/tpsim-settings.json", R"({"hw": "b200"})");
  CHECK(parsed({"report", "-m", "x"}).hardware == "b200");
  s.set("TPSIM_HW", "l4");
  const Options options = parsed({"report", "-m", "x"});
  CHECK(options.hardware == "l4");
  CHECK(options.batch == 3);
  CHECK(options.units == Units::si);
  CHECK(options.ascii);
  CHECK(parsed({"report", "-m", "x", "--hw", "a100-sxm-80gb", "-b", "9"}).hardware == "a100-sxm-80gb");
  CHECK(parsed({"report", "-m", "x", "--hw", "a100-sxm-80gb", "-b", "9"}).batch == 9);
}

TEST_CASE("settings: commands take those whose flags they have, measurements no inputs", "[settings]") {
  Surroundings s;
  s.write("home/.config/tpsim/config.json", R"({"hw": "h200", "batch": 3, "units": "si"})");
  CHECK_FALSE(parsed({"models", "list"}).hardware);
  const Options run = parsed({"run", "-m", "x"});
  CHECK_FALSE(run.batch);
  CHECK(parsed({"sweep", "-m", "x"}).axes.size() == 3);
}

TEST_CASE("settings: TPSIM_CONFIG names the user's file, which then has to be there", "[settings]") {
  Surroundings s;
  s.set("TPSIM_CONFIG", s.write("elsewhere.json", R"({"stack": "vllm"})"));
  CHECK(parsed({"report", "-m", "x"}).stack == "vllm");
  s.set("TPSIM_CONFIG", "missing.json");
  CHECK(refused({"report", "-m", "x"}).kind == ErrorKind::input);
}

TEST_CASE("settings: what cannot be used is refused with its place", "[settings]") {
  Surroundings s;
  for (const char* text : {"[]", "{", R"({"hww": "h200"})", R"({"hw": true})", R"({"ascii": "yes"})",
                           R"({"batch": "many"})", R"({"color": "sometimes"})"}) {
    INFO(text);
    const std::string file = s.write("work/tpsim-settings.json", text);
    CHECK(refused({"report", "-m", "x"}).where.find(file) != std::string::npos);
  }
}

TEST_CASE("settings: NO_COLOR goes before a file, not before TPSIM_COLOR", "[settings]") {
  Surroundings s;
  s.write("work/tpsim-settings.json", R"({"color": "always"})");
  CHECK(parsed({"report", "-m", "x"}).color == ColorMode::always);
  s.set("NO_COLOR", "1");
  CHECK(parsed({"report", "-m", "x"}).color == ColorMode::automatic);
}
