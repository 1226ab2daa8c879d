#include "core/call_arguments.h"

#include <algorithm>

namespace tpsim {

namespace {

std::string signature(const Node& call, std::span<const CallParameter> parameters) {
  std::string text = call.text + "(";
  for (const auto& parameter : parameters) {
    if (&parameter != parameters.data()) text += ", ";
    text += parameter.name;
    if (!parameter.required) text += "=";
  }
  return text + ")";
}

Error misfit(const Node& call, std::span<const CallParameter> parameters, const std::string& message) {
  Error error = input_error(call.text + "() " + message);
  error.details.push_back("it is " + signature(call, parameters));
  return error;
}

}  // namespace

Result<std::vector<int>> match_arguments(const Node& call, std::span<const CallParameter> parameters) {
  std::vector<int> places(parameters.size(), -1);
  if (call.positional() > parameters.size()) {
    return misfit(call, parameters,
                  "is given " + std::to_string(call.positional()) + " arguments and takes at most " +
                      std::to_string(parameters.size()));
  }
  for (std::size_t i = 0; i < call.positional(); ++i) places[i] = static_cast<int>(i);
  for (std::size_t k = 0; k < call.keywords.size(); ++k) {
    const auto& word = call.keywords[k];
    const auto found =
        std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == word; });
    if (found == parameters.end()) return misfit(call, parameters, "has no parameter \"" + word + "\"");
    int& place = places[static_cast<std::size_t>(found - parameters.begin())];
    if (place >= 0) return misfit(call, parameters, "is given \"" + word + "\" twice");
    place = static_cast<int>(call.positional() + k);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] < 0 && parameters[i].required) {
      return misfit(call, parameters, "lacks \"" + std::string(parameters[i].name) + "\"");
    }
  }
  return places;
}

}  // namespace tpsim
