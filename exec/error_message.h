// Errors as bytes, to tell other processes.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace tpsim::exec {

std::string message_of(const Error& error);  // never empty
Error error_of_message(std::string_view message);

}  // namespace tpsim::exec
