#include "core/value.h"

#include <array>
#include <charconv>
#include <cmath>

namespace tpsim {

const Value* find(const ValueObject& object, std::string_view key) {
  for (const auto& [name, value] : object) {
    if (name == key) return &value;
  }
  return nullptr;
}

const char* type_name(const Value& value) {
  struct Namer {
    const char* operator()(std::nullptr_t) const { return "null"; }
    const char* operator()(bool b) const { return b ? "true" : "false"; }
    const char* operator()(std::int64_t) const { return "an integer"; }
    const char* operator()(double) const { return "a number"; }
    const char* operator()(const std::string&) const { return "a string"; }
    const char* operator()(const ValueList&) const { return "a list"; }
    const char* operator()(const ValueObject&) const { return "an object"; }
  };
  return std::visit(Namer{}, value.data);
}

namespace {

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(c);
  switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default:
      if (code >= 0x20) {
        out += c;
      } else {
        out += "\\u00";
        out += kHex[code >> 4];
        out += kHex[code & 15u];
      }
  }
}

// Appends compact JSON; numbers in the shortest form that reads back as the same double.
struct Writer {
  std::string& out;

  void operator()(std::nullptr_t) const { out += "null"; }
  void operator()(bool b) const { out += b ? "true" : "false"; }
  void operator()(std::int64_t i) const { out += std::to_string(i); }
  void operator()(double d) const {
    if (std::isnan(d)) {
      out += "NaN";
    } else if (std::isinf(d)) {
      out += d > 0 ? "Infinity" : "-Infinity";
    } else {
      append_finite(d);
    }
  }
  void operator()(const std::string& text) const {
    out += '"';
    for (const char c : text) append_escaped(out, c);
    out += '"';
  }
  void operator()(const ValueList& list) const {
    out += '[';
    for (const Value& element : list) {
      if (&element != &list.front()) out += ", ";
      std::visit(*this, element.data);
    }
    out += ']';
  }
  void operator()(const ValueObject& object) const {
    out += '{';
    for (const auto& member : object) {
      if (&member != &object.front()) out += ", ";
      (*this)(member.first);
      out += ": ";
      std::visit(*this, member.second.data);
    }
    out += '}';
  }

private:
  void append_finite(double d) const {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), d).ptr;
    const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
  }
};

}  // namespace

std::string to_json(const Value& value) {
  std::string out;
  std::visit(Writer{out}, value.data);
  return out;
}

}  // namespace tpsim
