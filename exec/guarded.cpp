#include "exec/guarded.h"

#include <exception>
#include <new>
#include <string>

#include "exec/device.h"

namespace tpsim::exec {

Result<void> guarded(const RankBody& body, Communicator& communicator) {
  try {
    return body(communicator);
  } catch (const std::bad_alloc&) {
    Error error = input_error("rank " + std::to_string(communicator.rank()) + " is out of memory");
    error.kind = ErrorKind::environment;
    error.fixes.push_back("fewer tokens, a smaller batch, or a machine with more memory");
    return error;
  } catch (const DeviceFailure& e) {
    Error error = input_error("rank " + std::to_string(communicator.rank()) + ": " + e.what());
    error.kind = ErrorKind::environment;
    error.fixes.push_back("tpsim doctor says what this machine has");
    return error;
  } catch (const std::exception& e) {
    Error error = input_error(e.what());
    error.kind = ErrorKind::internal;
    return error;
  }
}

}  // namespace tpsim::exec
