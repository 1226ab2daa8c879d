#include "exec/error_message.h"

#include <algorithm>

namespace tpsim::exec {
namespace {

// Fields end with '\0', which no text of an error holds.
void append(std::string& message, const std::string& field) { (message += field) += '\0'; }

std::string next(std::string_view& message) {
  const auto end = std::min(message.find('\0'), message.size());
  std::string field(message.substr(0, end));
  message.remove_prefix(std::min(end + 1, message.size()));
  return field;
}

}  // namespace

std::string message_of(const Error& error) {
  std::string message;
  append(message, std::string(1, static_cast<char>('0' + static_cast<int>(error.kind))));
  append(message, error.code);
  append(message, error.message);
  append(message, error.where);
  for (const std::string& detail : error.details) append(message, "d" + detail);
  for (const std::string& fix : error.fixes) append(message, "f" + fix);
  return message;
}

Error error_of_message(std::string_view message) {
  Error error;
  const std::string kind = next(message);
  error.kind = kind.empty() ? ErrorKind::internal : static_cast<ErrorKind>(kind.front() - '0');
  error.code = next(message);
  error.message = next(message);
  error.where = next(message);
  while (!message.empty()) {
    const std::string field = next(message);
    if (!field.empty()) (field.front() == 'd' ? error.details : error.fixes).push_back(field.substr(1));
  }
  return error;
}

}  // namespace tpsim::exec
