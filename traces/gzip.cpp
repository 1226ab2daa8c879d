#include "traces/gzip.h"

#ifdef TPSIM_HAVE_ZLIB
#include <zlib.h>
#endif

#include <algorithm>

namespace tpsim {

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

#ifdef TPSIM_HAVE_ZLIB

namespace {

class Inflater {
public:
  Inflater() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

private:
  z_stream stream_{};
  bool ready_ = false;
};

constexpr std::size_t kPiece = std::size_t{1} << 20;

}  // namespace

Result<std::string> gunzip(std::string_view bytes, const std::string& file, std::size_t limit) {
  std::string copy(bytes), text;
  Inflater inflater;
  if (!inflater.ready()) return input_error("zlib cannot start", file);
  z_stream& s = inflater.stream();
  s.next_in = reinterpret_cast<Bytef*>(copy.data());
  s.avail_in = static_cast<uInt>(std::min<std::size_t>(copy.size(), UINT32_MAX));
  for (;;) {
    const std::size_t used = text.size();
    text.resize(used + kPiece);
    s.next_out = reinterpret_cast<Bytef*>(text.data() + used);
    s.avail_out = static_cast<uInt>(kPiece);
    const int status = inflate(&s, Z_NO_FLUSH);
    text.resize(used + kPiece - s.avail_out);
    if (text.size() > limit)
      return input_error("unpacks to more than " + std::to_string(limit) + " bytes, the limit", file);
    // Several members may follow each other.
    if (status == Z_STREAM_END && s.avail_in > 0 && inflateReset(&s) == Z_OK) continue;
    if (status == Z_STREAM_END) return text;
    if (status != Z_OK || (s.avail_in == 0 && s.avail_out > 0))
      return input_error("is damaged or cut off: it does not unpack as gzip", file);
  }
}

#else

Result<std::string> gunzip(std::string_view, const std::string& file, std::size_t) {
  Error error = input_error("is packed with gzip, and this build has no zlib", file);
  error.fixes = {"gunzip it first"};
  return error;
}

#endif

}  // namespace tpsim
