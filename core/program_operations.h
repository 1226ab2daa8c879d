// The operations of forward programs: names, parameters, and how they become instructions.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "core/expression.h"
#include "core/model.h"

namespace tpsim {

enum class Take {
  tensor,
  tensors,  // all positional ones that are left
  integer,
  integers,  // all positional ones that are left
  sizes,     // a list of integers or one integer
  number,
  text,
  function,     // a text or the name of a child module
  module_list,  // the name of a child that is a list
  flag,
};

struct OperationParameter {
  std::string_view name;
  Take take = Take::tensor;
  bool required = true;
};

struct OperationSpec {
  std::string_view name;
  Op op = Op::cast;
  int outputs = 1;  // 0: as many as names are assigned
  std::span<const OperationParameter> parameters;
};

const OperationSpec* find_operation(std::string_view name);
std::span<const OperationSpec> operations();

// Values of the constant parameters of one operation, by parameter; nullptr where none was given.
using OperationConstants = std::span<const Value* const>;
// Fills ints, number, softcap and text of the instruction. Returns a message where a value does not fit, "" otherwise.
std::string set_constants(const OperationSpec& spec, OperationConstants constants, Instruction& instruction);

}  // namespace tpsim
