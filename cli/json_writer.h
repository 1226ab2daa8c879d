// JSON text, member by member, in the order of the calls: deterministic and independent of the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tpsim::cli {

class JsonWriter {
public:
  // Values nested deeper than `open_depth` are written on one line; 0 = the whole document on one line.
  explicit JsonWriter(std::string& out, int open_depth = 4) : out_(out), open_depth_(open_depth) {}

  // Only these members (dotted paths such as "results.memory") and what contains or lies below them are written.
  void keep_only(std::vector<std::string> paths) { kept_ = std::move(paths); }
  // Dotted paths of all members met, kept or not, in order; filled only after record_paths().
  void record_paths() { recording_ = true; }
  const std::vector<std::string>& paths() const { return paths_; }

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool truth);
  void value(double number, int decimals);  // trailing zeros are dropped; null for NaN and infinities
  void null();
  template <class Integer>
  requires std::is_integral_v<Integer>
  void value(Integer number) { integer(static_cast<std::int64_t>(number)); }

  template <class... Value>
  void member(std::string_view name, Value... values) {
    key(name);
    value(values...);
  }
  template <class List>
  void array(std::string_view name, const List& items) {
    key(name);
    open('[', true);
    for (const auto& item : items) value(item);
    close(']');
  }

private:
  void integer(std::int64_t number);
  void open(char bracket, bool one_line = false);
  void close(char bracket);
  void separate();
  void put(std::string_view text);
  bool selected() const;
  void note_path();

  struct Level {
    bool one_line = false;
    bool empty = true;
    std::size_t path_size = 0;
  };

  std::string& out_;
  int open_depth_;
  std::vector<Level> levels_;
  bool after_key_ = false;
  std::vector<std::string> kept_;
  std::string path_;
  int skipping_ = 0;        // nesting depth inside a member that is left out
  bool skip_next_ = false;  // the value after the key just met is left out
  bool recording_ = false;
  std::vector<std::string> paths_;
};

// `text` as a JSON string with quotes.
std::string json_quoted(std::string_view text);

}  // namespace tpsim::cli
