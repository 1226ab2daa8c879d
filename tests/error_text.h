// An error as one text, in the form in which the command line prints it.
#pragma once

#include <string>

#include "core/result.h"

namespace tpsim {

inline std::string error_text(const Error& error) {
  std::string text = "error: " + error.message + "\n";
  if (!error.where.empty()) text += "  --> " + error.where + "\n";
  for (const std::string& line : error.details) text += "  " + line + "\n";
  for (const std::string& fix : error.fixes) text += "  fix: " + fix + "\n";
  return text;
}

template <class T>
std::string error_text(const Result<T>& result) {
  return result ? "no error" : error_text(result.error());
}

}  // namespace tpsim
