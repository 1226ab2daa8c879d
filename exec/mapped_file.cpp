#include "exec/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <utility>

namespace tpsim::exec {
namespace {

// Mapped ranges, where a signal handler can look for them.
struct Place {
  std::atomic<std::uintptr_t> begin = 0, end = 0;
};
std::array<Place, 4096> places;

Place* place_of(std::uintptr_t address) {
  for (Place& place : places)
    if (place.begin <= address && address < place.end) return &place;
  return nullptr;
}

// A page behind the file's new end: zeros take its place, and the reader finds out by changed().
void put_zeros(int, siginfo_t* fault, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(fault->si_addr);
  const auto size = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  void* const page = reinterpret_cast<void*>(address / size * size);
  if (place_of(address) != nullptr &&
      mmap(page, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
    return;
  std::signal(SIGBUS, SIG_DFL);
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = put_zeros;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, nullptr);
  });
}

bool watch(const std::byte* data, std::size_t size) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  for (Place& place : places) {
    std::uintptr_t free = 0;
    if (!place.begin.compare_exchange_strong(free, begin)) continue;
    place.end = begin + size;
    return true;
  }
  return false;
}

void forget(const std::byte* data) {
  Place* place = place_of(reinterpret_cast<std::uintptr_t>(data));
  if (place == nullptr) return;
  place->end = 0;
  place->begin = 0;
}

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  install_handler();
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return input_error("cannot be opened: " + std::string(std::strerror(errno)), path);
  struct stat status {};
  const bool known = fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = known ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
  if (data == MAP_FAILED || !watch(static_cast<const std::byte*>(data), size)) {
    if (data != MAP_FAILED) munmap(data, size);
    close(file);
    return input_error("cannot be mapped into memory", path);
  }
  return MappedFile(path, file, static_cast<const std::byte*>(data), size, nanoseconds(status.st_mtim));
}

MappedFile::MappedFile(std::string path, int file, const std::byte* data, std::size_t size, std::int64_t written)
    : path_(std::move(path)), file_(file), data_(data), size_(size), written_(written) {}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      written_(other.written_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(written_, other.written_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  forget(data_);
  munmap(const_cast<std::byte*>(data_), size_);
  close(file_);
}

bool MappedFile::changed() const {
  struct stat now {};
  return fstat(file_, &now) != 0 || static_cast<std::size_t>(now.st_size) != size_ ||
         nanoseconds(now.st_mtim) != written_;
}

Error MappedFile::changed_error() const {
  Error error = input_error("the file changed while it was read", path_);
  error.fixes.push_back("run again when nothing writes to it");
  return error;
}

}  // namespace tpsim::exec
