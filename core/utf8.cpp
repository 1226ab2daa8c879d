#include "core/utf8.h"

namespace tpsim {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }

struct LeadByte {
  std::size_t length = 0;  // 0 = not a lead byte
  char32_t bits = 0;
  char32_t smallest = 0;
};

LeadByte decode_lead(unsigned char c) {
  if (c < 0x80u) return {1, c, 0};
  if (c >= 0xC2u && c <= 0xDFu) return {2, c & 0x1Fu, 0x80};
  if (c >= 0xE0u && c <= 0xEFu) return {3, c & 0x0Fu, 0x800};
  if (c >= 0xF0u && c <= 0xF4u) return {4, c & 0x07u, 0x10000};
  return {};
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = decode_lead(static_cast<unsigned char>(text[i]));
    if (lead.length == 0 || i + lead.length > text.size()) return i;
    char32_t code = lead.bits;
    for (std::size_t k = 1; k < lead.length; ++k) {
      if (!is_continuation(text[i + k])) return i;
      code = (code << 6u) | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < lead.smallest || code > 0x10FFFF || surrogate) return i;
    i += lead.length;
  }
  return std::nullopt;
}

void append_utf8(std::string& text, char32_t code) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0u | (code >> 6u));
  } else if (code < 0x10000) {
    put(0xE0u | (code >> 12u));
    put(0x80u | ((code >> 6u) & 0x3Fu));
  } else {
    put(0xF0u | (code >> 18u));
    put(0x80u | ((code >> 12u) & 0x3Fu));
    put(0x80u | ((code >> 6u) & 0x3Fu));
  }
  put(0x80u | (code & 0x3Fu));
}

}  // namespace tpsim
