// Modules without children: their parameters in architecture files and the ModuleType they make.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/call_arguments.h"
#include "core/model.h"
#include "core/value.h"

namespace tpsim {

struct LeafSpec {
  std::string_view name;
  ModuleKind kind = ModuleKind::identity;
  std::span<const CallParameter> parameters;  // the last one is `class`
};

const LeafSpec* find_leaf(std::string_view name);
const LeafSpec& leaf_spec(ModuleKind kind);
std::span<const LeafSpec> leaf_specs();

// `values` by parameter, nullptr where none was given. `bad` = the parameter whose value does not fit, with `message`.
struct LeafFault {
  std::size_t bad = 0;
  std::string message;
};
bool make_leaf(ModuleKind kind, std::span<const Value* const> values, std::string_view class_prefix, ModuleType& type,
               LeafFault& fault);

// Why a value is no extent of a tensor; "" = it is one.
std::string extent_fault(const Value& value);

}  // namespace tpsim
