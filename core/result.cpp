#include "core/result.h"

namespace tpsim {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return 2;
    case ErrorKind::input: return 3;
    case ErrorKind::environment: return 4;
    case ErrorKind::internal: return 70;
  }
  return 70;
}

}  // namespace tpsim
