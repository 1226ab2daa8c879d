#include "core/safetensors_file.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "core/source_text.h"

namespace tpsim {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLengthBytes = 8;

struct Magic {
  std::string_view bytes;
  std::string_view what;
  std::string_view fix;
};

constexpr std::array kMagics = {
    Magic{"PK\x03\x04", "is a zip archive (a PyTorch .bin or .pt file?), not a safetensors file",
          "-m config.json also works"},
    Magic{"GGUF", "is a GGUF file, not a safetensors file", "-m config.json also works"},
    Magic{"\x80\x02", "is a pickle, not a safetensors file", "-m config.json also works"},
    Magic{"<!DOCTYPE", "is an HTML page, not a safetensors file", "download the raw file"},
    Magic{"<!doctype", "is an HTML page, not a safetensors file", "download the raw file"},
    Magic{"<html", "is an HTML page, not a safetensors file", "download the raw file"},
};

std::uint64_t header_length(std::string_view beginning) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    length |= std::uint64_t{static_cast<unsigned char>(beginning[i])} << (8u * i);
  return length;
}

Error lfs_error(const std::string& path, std::int64_t size, const std::string& beginning) {
  Error error = file_error(path, "is a Git LFS pointer (" + std::to_string(size) + " bytes), not the weights");
  error.details.push_back("its first 8 bytes \"" + beginning.substr(0, 8) + "\" would mean a header of " +
                          with_separators(header_length(beginning)) + " bytes");
  error.fixes = {"git lfs pull            tpsim needs only the headers; `-m config.json` also works"};
  return error;
}

std::optional<Error> not_safetensors(const std::string& path, std::int64_t size, const std::string& beginning) {
  if (size < kLengthBytes) {
    Error error = file_error(path, "has " + std::to_string(size) + " bytes; the length of the header alone takes 8");
    error.fixes = {"download the file again"};
    return error;
  }
  if (is_lfs_pointer(beginning)) return lfs_error(path, size, beginning);
  for (const auto& magic : kMagics) {
    if (!beginning.starts_with(magic.bytes)) continue;
    Error error = file_error(path, std::string(magic.what));
    error.fixes = {std::string(magic.fix)};
    return error;
  }
  return std::nullopt;
}

Error beyond_file(const std::string& path, std::uint64_t length, std::int64_t size) {
  Error error = file_error(path, "is cut off or not a safetensors file: its first 8 bytes announce a header of " +
                                     with_separators(length) + " bytes, the file has " +
                                     with_separators(static_cast<std::uint64_t>(size)));
  error.fixes = {"download the file again"};
  return error;
}

Error over_limit(const std::string& path, std::uint64_t length, std::int64_t limit) {
  constexpr std::int64_t reference = 100'000'000;
  Error error = file_error(path, "");
  error.message = base_name(path) + ": header length " + with_separators(length) + " exceeds the " +
                  with_separators(static_cast<std::uint64_t>(limit)) + "-byte limit" +
                  (limit == reference ? " of the reference reader" : "");
  constexpr std::uint64_t mebi = 1u << 20u;
  std::uint64_t enough = 128 * mebi;
  while (enough < length && enough < (std::uint64_t{1} << 40u)) enough *= 2;
  error.fixes = {"--max-header " + std::to_string(enough / mebi) + "Mi"};
  return error;
}

}  // namespace

Error file_error(const std::string& path, const std::string& what) {
  return input_error(base_name(path) + " " + what, path);
}

std::string with_separators(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

bool is_lfs_pointer(const std::string& beginning) { return beginning.starts_with("version https://git-lfs"); }

Result<std::int64_t> regular_file_size(const std::string& path) {
  std::error_code code;
  const auto status = fs::status(path, code);
  if (!fs::exists(status)) return file_error(path, "does not exist");
  if (fs::is_directory(status)) return file_error(path, "is a folder, not a file");
  if (!fs::is_regular_file(status)) return file_error(path, "is a pipe, socket or device, not a regular file");
  const auto size = fs::file_size(path, code);
  if (code) return file_error(path, "cannot be read: " + code.message());
  return static_cast<std::int64_t>(size);
}

Result<std::string> read_beginning(const std::string& path, std::int64_t length) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return file_error(path, "cannot be opened (permission?)");
  std::string bytes(static_cast<std::size_t>(length), '\0');
  file.read(bytes.data(), length);
  if (file.bad()) return file_error(path, "cannot be read");
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

Result<HeaderText> read_header_text(const std::string& path, const SafetensorsLimits& limits) {
  const auto size = regular_file_size(path);
  if (!size) return size.error();
  constexpr std::int64_t enough_to_tell = 64;
  const auto beginning = read_beginning(path, std::min(*size, enough_to_tell));
  if (!beginning) return beginning.error();
  if (auto error = not_safetensors(path, *size, *beginning)) return std::move(*error);
  if (static_cast<std::int64_t>(beginning->size()) < kLengthBytes) return file_error(path, "changed while it was read");

  const std::uint64_t length = header_length(*beginning);
  if (length > static_cast<std::uint64_t>(*size - kLengthBytes)) return beyond_file(path, length, *size);
  if (length > static_cast<std::uint64_t>(limits.header_bytes)) return over_limit(path, length, limits.header_bytes);
  HeaderText header;
  header.file_size = *size;
  header.data_begin = kLengthBytes + static_cast<std::int64_t>(length);
  auto bytes = read_beginning(path, header.data_begin);
  if (!bytes) return bytes.error();
  if (static_cast<std::int64_t>(bytes->size()) != header.data_begin)
    return file_error(path, "changed while it was read");
  bytes->erase(0, kLengthBytes);
  header.json = std::move(*bytes);
  return header;
}

}  // namespace tpsim
