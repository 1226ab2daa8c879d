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

Error damaged(const std::string& file) {
  return input_error("is damaged or cut off: it does not unpack as gzip", file);
}

}  // namespace

Result<Unpacked> gunzip_part(std::string_view bytes, const std::string& file, std::size_t limit) {
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
    if (status == Z_STREAM_END) return Unpacked{std::move(text), false};
    const bool ends = s.avail_in == 0 && s.avail_out > 0;
    if (ends && (status == Z_OK || status == Z_BUF_ERROR) && !text.empty()) return Unpacked{std::move(text), true};
    if (status != Z_OK || ends) return damaged(file);
  }
}

Result<std::string> gunzip(std::string_view bytes, const std::string& file, std::size_t limit) {
  auto unpacked = gunzip_part(bytes, file, limit);
  if (!unpacked) return unpacked.error();
  if (unpacked->cut_off) return damaged(file);
  return std::move(unpacked->text);
}

Result<std::string> gzip(std::string_view text) {
  constexpr int window = 15 + 16, memory = 8;  // + 16: with a header of gzip
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, memory, Z_DEFAULT_STRATEGY) != Z_OK)
    return Error{ErrorKind::environment, {}, "zlib cannot start", {}, {}, {}};
  std::string packed;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (stream.avail_in == 0 && !text.empty()) {
      const std::string_view piece = text.substr(0, kPiece);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
      stream.avail_in = static_cast<uInt>(piece.size());
      text.remove_prefix(piece.size());
    }
    const std::size_t used = packed.size();
    packed.resize(used + kPiece);
    stream.next_out = reinterpret_cast<Bytef*>(packed.data() + used);
    stream.avail_out = static_cast<uInt>(kPiece);
    status = deflate(&stream, text.empty() ? Z_FINISH : Z_NO_FLUSH);
    packed.resize(used + kPiece - stream.avail_out);
  }
  deflateEnd(&stream);
  return packed;
}

#else

Result<std::string> gzip(std::string_view) {
  Error error{ErrorKind::environment, {}, "this build has no zlib to write gzip files with", {}, {}, {}};
  error.fixes = {"-o FILE.json"};
  return error;
}

Result<Unpacked> gunzip_part(std::string_view, const std::string& file, std::size_t) {
  Error error = input_error("is packed with gzip, and this build has no zlib", file);
  error.fixes = {"gunzip it first"};
  return error;
}

Result<std::string> gunzip(std::string_view bytes, const std::string& file, std::size_t limit) {
  return gunzip_part(bytes, file, limit).error();
}

#endif

}  // namespace tpsim
