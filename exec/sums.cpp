#include "exec/sums.h"

#include <cstring>

namespace tpsim::exec {
namespace {

template <class T>
void add_as(const void* from, void* to, std::int64_t count) {
  const T* source = static_cast<const T*>(from);
  T* sum = static_cast<T*>(to);
  for (std::int64_t i = 0; i < count; ++i) sum[i] += source[i];
}

}  // namespace

std::size_t size_of(Scalar scalar) {
  switch (scalar) {
    case Scalar::float32: return sizeof(float);
    case Scalar::float64: return sizeof(double);
    case Scalar::int64: return sizeof(std::int64_t);
  }
  return 0;
}

void add(Scalar scalar, const void* from, void* to, std::int64_t count) {
  switch (scalar) {
    case Scalar::float32: return add_as<float>(from, to, count);
    case Scalar::float64: return add_as<double>(from, to, count);
    case Scalar::int64: return add_as<std::int64_t>(from, to, count);
  }
}

void copy(Scalar scalar, const void* from, void* to, std::int64_t count) {
  if (count > 0) std::memcpy(to, from, static_cast<std::size_t>(count) * size_of(scalar));
}

}  // namespace tpsim::exec
