#include "core/program_parser.h"

#include "core/program_operations.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"
#include "tests/unit/toy_description.h"

namespace tpsim {
namespace {

// A model whose root block is the one under test.
std::string description(const std::string& forward, const std::string& modules = "{}", const std::string& more = "") {
  return R"j({ "model_type": "toy", "source": "made up", "class": "ToyForCausalLM", "base": "model",
    "config": { "d": 8, "n": 3, "act": "gelu", "off": false, "nothing": null, "half": 0.5, "many": [2, 3, 4] },
    "blocks": {
      "ForCausalLM": { "modules": )j" +
         modules + R"j(, )j" + more + R"j( "forward": )j" + forward + R"j( },
      "Two": { "modules": { "inner": "linear(4, 4)" }, "forward": ["(x)", "return inner(x), x"] },
      "One": { "parameters_of_block": ["size"], "modules": { "proj": "linear(size, size)" },
               "forward": ["(x)", "return proj(x),"] } } })j";
}

std::string quoted(std::initializer_list<std::string> lines) {
  std::string text = "[";
  for (const auto& line : lines) text += (text.size() > 1 ? ", \"" : "\"") + line + "\"";
  return text + "]";
}

Result<Program> compile(std::initializer_list<std::string> lines, const std::string& modules = "{}",
                        const std::string& more = "") {
  auto model = toy::build(description(quoted(lines), modules, more));
  if (!model) return model.error();
  return model->type(model->root).program;
}

// The instruction of `y = EXPRESSION` with inputs a, b, c, d in slots 0 .. 3.
Instruction one(const std::string& expression, const std::string& modules = "{}", const std::string& more = "") {
  auto program = compile({"(ta, tb, tc, td)", "y = " + expression, "return y"}, modules, more);
  INFO(expression << "\n" << error_text(program));
  REQUIRE(program);
  REQUIRE(program->code.size() == 1);
  return program->code[0];
}

std::string fault(std::initializer_list<std::string> lines, const std::string& modules = "{}",
                  const std::string& more = "") {
  const auto program = compile(lines, modules, more);
  return program ? "no error" : program.error().message;
}

using Ints = std::vector<std::int64_t>;
using Slots = std::vector<int>;

struct OperationCase {
  const char* text;
  Op op;
  Slots inputs;
  Ints ints;
};

}  // namespace

TEST_CASE("program: every operation becomes its instruction", "[program]") {
  const OperationCase cases[] = {
      {"view_heads(ta, d)", Op::view_heads, {0}, {8}},
      {"merge_heads(ta)", Op::merge_heads, {0}, {}},
      {"flatten_tokens(ta)", Op::flatten_tokens, {0}, {}},
      {"unflatten_tokens(ta, tb)", Op::unflatten_tokens, {0, 1}, {}},
      {"transpose(ta, 1, -1)", Op::transpose, {0}, {1, -1}},
      {"reshape(ta, 0, -1, n, d // 2)", Op::reshape, {0}, {0, -1, 3, 4}},
      {"unsqueeze(ta, 1)", Op::unsqueeze, {0}, {1}},
      {"squeeze(ta, -1)", Op::squeeze, {0}, {-1}},
      {"expand(ta, tb)", Op::expand, {0, 1}, {}},
      {"slice(ta, -1, 2, d)", Op::slice, {0}, {-1, 2, 8}},
      {"slice(ta, 1, none, none)", Op::slice, {0}, {1, 0, kOpenEnd}},
      {"concat(ta, tb, tc)", Op::concat, {0, 1, 2}, {-1}},
      {"concat(ta, tb, dim=1)", Op::concat, {0, 1}, {1}},
      {"softmax(ta)", Op::softmax, {0}, {}},
      {"normalize(ta)", Op::normalize, {0}, {}},
      {"norm_free(ta)", Op::norm_free, {0}, {}},
      {"cast(ta)", Op::cast, {0}, {}},
      {"linear(ta, tb)", Op::linear, {0, 1}, {}},
      {"linear(ta, tb, tc)", Op::linear, {0, 1, 2}, {}},
      {"linear(ta, tb, bias=none)", Op::linear, {0, 1, -1}, {}},
      {"causal_mask(ta)", Op::causal_mask, {0}, {}},
      {"positions(ta)", Op::positions, {0}, {}},
      {"previous(ta)", Op::previous, {0}, {}},
      {"rope_one(ta, tb, tc)", Op::rope_one, {0, 1, 2}, {0, 0}},
      {"rope_one(ta, tb, tc, interleaved=true)", Op::rope_one, {0, 1, 2}, {1, 0}},
      {"attention(ta, tb, tc, td, groups=n)", Op::attention, {0, 1, 2, 3}, {3, 0, 0, 0, 0, 0, 0, 0}},
      {"attention(ta, tb, tc, none, window=nothing)", Op::attention, {0, 1, 2, -1}, {1, 0, 0, 0, 0, 0, 0, 0}},
      {"attention(ta, tb, tc, none, window=d, cache='latent', cache_width=576)",
       Op::attention,
       {0, 1, 2, -1},
       {1, 8, 576, 0, 0, 0, 0, 0}},
      {"attention(ta, tb, tc, none, sinks=td, chunk=4, alibi=true)",
       Op::attention,
       {0, 1, 2, -1, 3},
       {1, 0, 0, 4, 1, 0, 0, 0}},
      {"attention(ta, tb, tc, none, kind='lightning', block=64, layer=1, layers=2)",
       Op::attention,
       {0, 1, 2, -1},
       {1, 0, 0, 0, 0, 64, 1, 2}},
      {"attention(ta, tb, tc, none, bias=td)", Op::attention, {0, 1, 2, -1, -1, 3}, {1, 0, 0, 0, 0, 0, 0, 0}},
      {"attention(ta, tb, tc, none, cache='shared')",
       Op::attention,
       {0, 1, 2, -1},
       {1, 0, kSharedCache, 0, 0, 0, 0, 0}},
      {"scatter_topk(ta, tb, tc)", Op::scatter_topk, {0, 1, 2}, {}},
      {"experts(ta, tb, tc, td, ta)", Op::experts, {0, 1, 2, 3, 0}, {0, 0, 0}},
      {"experts(ta, tb, tc, td, ta, ungated=true)", Op::experts, {0, 1, 2, 3, 0}, {0, 0, 1}},
      {"experts(ta, tb, tc, td, ta, gate_up_bias=tb, down_bias=tc, transposed=true, interleaved=true)",
       Op::experts,
       {0, 1, 2, 3, 0, 1, 2},
       {1, 1, 0}},
      {"bmm(ta, tb)", Op::bmm, {0, 1}, {}},
      {"repeat_rows(ta, tb)", Op::repeat_rows, {0, 1}, {}},
      {"split_rows(ta, tb)", Op::split_rows, {0, 1}, {}},
      {"sum_groups(ta, tb)", Op::sum_groups, {0, 1}, {}},
      {"repeat_heads(ta, n)", Op::repeat_heads, {0}, {3}},
      {"relative_bias(ta)", Op::relative_bias, {0}, {}},
      {"lookup(ta, tb)", Op::lookup, {0, 1}, {}},
      {"opaque('indexer', ta, tb, tc)", Op::opaque, {0, 1, 2}, {}},
      {"ta + tb", Op::add, {0, 1}, {}},
      {"ta - tb", Op::sub, {0, 1}, {}},
      {"ta * tb", Op::mul, {0, 1}, {}},
      {"ta / tb", Op::div, {0, 1}, {}},
  };
  for (const auto& c : cases) {
    const auto instruction = one(c.text);
    INFO(c.text);
    CHECK(instruction.op == c.op);
    CHECK(instruction.inputs == c.inputs);
    CHECK(instruction.ints == c.ints);
    CHECK(instruction.outputs == Slots{4});
  }
}

TEST_CASE("program: numbers and texts of operations", "[program]") {
  CHECK(one("ta * 2").number == 2);
  CHECK(one("2 * ta").op == Op::scale);
  CHECK(one("ta / 4").number == 0.25);
  CHECK(one("ta + half").op == Op::add_number);
  CHECK(one("ta - half").number == -0.5);
  CHECK(one("-ta").number == -1);
  CHECK(one("act(ta, act)").text == "gelu");
  CHECK(one("act(ta, 'xielu', tb, tc)").inputs == Slots{0, 1, 2});
  CHECK(one("sigmoid(ta)").text == "sigmoid");
  CHECK(one("softcap(ta, 30.0)").number == 30);
  CHECK(one("clamp(ta, d)").text == "clamp");
  CHECK(one("attention(ta, tb, tc, td, scale=d ** -0.5, softcap=50.0)").number == Approx(0.35355339));
  CHECK(one("attention(ta, tb, tc, td, softcap=50.0)").softcap == 50);
  CHECK(one("experts(ta, tb, tc, td, ta, act='silu')").text == "silu");
  const auto one_minus = compile({"(x)", "y = 1 - x", "return y"});
  REQUIRE(one_minus);
  REQUIRE(one_minus->code.size() == 2);
  CHECK(one_minus->code[0].number == -1);
  CHECK(one_minus->code[1].number == 1);
}

TEST_CASE("program: operations with several values", "[program]") {
  const auto program = compile({"(x, y)", "q, k = rope(x, x, y, y, half=true)", "a, b, c = split(q, [1, n, d - 4], 2)",
                                "e, f = chunk(k, 2, -1)", "g, h = split(a, d, 1)",
                                "w, i = topk_route(x, nothing, choice=y, groups=4, keep_groups=2)", "return a"});
  INFO(error_text(program));
  REQUIRE(program);
  const auto& code = program->code;
  REQUIRE(code.size() == 5);
  CHECK(code[0].outputs == Slots{2, 3});
  CHECK(code[0].ints == Ints{0, 1});
  CHECK(code[1].op == Op::split);
  CHECK(code[1].ints == Ints{2, 1, 3, 4});
  CHECK(code[1].outputs == Slots{4, 5, 6});
  CHECK(code[2].ints == Ints{-1, 2});
  CHECK(code[3].op == Op::split_size);
  CHECK(code[3].ints == Ints{1, 8});
  CHECK(code[4].inputs == Slots{0, 1});
  CHECK(code[4].ints == Ints{0, 4, 2, 2});
  CHECK(program->results == Slots{4});
  CHECK(program->slots == 13);
}

TEST_CASE("program: calls keep what is positional and what is by keyword", "[program]") {
  const std::string modules = R"j({ "lin": "linear(4, 4)", "two": "Two()" })j";
  const auto program = compile({"(x, m)", "h, w = two(x, mask=m, other=none)", "t = two(x)", "p, q = t",
                                "y = two.inner(lin(x))", "z, = two(x)", "return y, none"},
                               modules);
  INFO(error_text(program));
  REQUIRE(program);
  const auto& code = program->code;
  CHECK(code[0].op == Op::constant_none);
  CHECK(code[1].op == Op::call);
  CHECK(code[1].child == 1);
  CHECK(code[1].inputs == Slots{0, 1, 2});
  CHECK(code[1].keyword_begin == 1);
  CHECK(code[1].keywords == std::vector<std::string>{"mask", "other"});
  CHECK(code[1].outputs.size() == 2);
  CHECK(code[2].outputs.size() == 1);
  CHECK(code[2].keyword_begin == -1);
  CHECK(code[3].op == Op::unpack);
  CHECK(code[3].outputs.size() == 2);
  CHECK(code[4].child == 0);
  CHECK(code[5].child == 1);
  CHECK(code[5].text == "inner");
  CHECK(code[6].op == Op::call);
  CHECK(code[7].op == Op::unpack);
  CHECK(code[7].outputs.size() == 1);
  CHECK(program->results.size() == 2);
}

TEST_CASE("program: loops hand on their first argument", "[program]") {
  const std::string modules = R"j({ "layers": "[linear(4, 4) for i in n]", "ones": "[One(size=4) for i in 2]" })j";
  const auto program = compile(
      {"(x, m)", "for layer in layers: x = layer(x, mask=m)", "for one in ones: x, = one(x)", "return x"}, modules);
  INFO(error_text(program));
  REQUIRE(program);
  const auto& code = program->code;
  REQUIRE(code.size() == 2);
  CHECK(code[0].op == Op::for_each);
  CHECK(code[0].inputs == Slots{0, 1});
  CHECK(code[0].keywords == std::vector<std::string>{"mask"});
  CHECK(code[0].outputs == Slots{2});
  CHECK(code[0].ints.empty());
  CHECK(code[1].inputs == Slots{2});
  CHECK(code[1].ints == Ints{1});
  CHECK(program->results == Slots{3});
}

TEST_CASE("program: loops hand on further names that they assign", "[program]") {
  const std::string modules = R"j({ "layers": "[Two() for i in n]" })j";
  const auto program =
      compile({"(x, m)", "k = none", "for layer in layers: x, k = layer(x, m, key=k)", "return x, k"}, modules);
  INFO(error_text(program));
  REQUIRE(program);
  const auto& code = program->code;
  REQUIRE(code.size() == 2);
  CHECK(code[1].inputs == Slots{0, 1, 2});
  CHECK(code[1].keyword_begin == 2);
  CHECK(code[1].ints == Ints{0, 2});
  CHECK(program->results == code[1].outputs);
}

TEST_CASE("program: one element of a list is called", "[program]") {
  const std::string modules = R"j({ "lin": "linear(4, 4)", "list": "[linear(4, 4) for i in n]" })j";
  const auto call = one("item(list, n - 1, ta, mask=tb)", modules);
  CHECK(call.op == Op::call);
  CHECK(call.child == 1);
  CHECK(call.ints == Ints{2});
  CHECK(call.inputs == Slots{0, 1});
  CHECK(call.keywords == std::vector<std::string>{"mask"});
  CHECK(fault({"(x)", "return item(list, 3, x)"}, modules) == "element 3 of a list of 3");
  CHECK(fault({"(x)", "return item(lin, 0, x)"}, modules) == "a list of modules is needed");
  CHECK(fault({"(x)", "return item(lits, 0, x)"}, modules).starts_with("item() is"));
}

TEST_CASE("program: repetitions nest and end with their indentation", "[program]") {
  const auto program = compile({"(x)", "repeat n - 1:", "  repeat n:", "    x = cast(x)", "  x = softmax(x)",
                                "if off: repeat n:", "  x = norm_free(x)", "return -x"});
  INFO(error_text(program));
  REQUIRE(program);
  std::string ops;
  for (const auto& code : program->code) ops += code.op == Op::cast ? 'c' : code.op == Op::softmax ? 's' : '.';
  CHECK(ops == "cccscccs.");
}

TEST_CASE("program: faults of repetitions", "[program][errors]") {
  CHECK(fault({"(x)", "repeat n:", "x = cast(x)", "return x"}) == "the body of a \"repeat\" is indented");
  CHECK(fault({"(x)", "x = cast(x)", "  x = cast(x)", "return x"}) == "only the body of a \"repeat\" is indented");
  CHECK(fault({"(x)", "return x", "repeat n:"}) == "the body of the \"repeat\" is missing");
  CHECK(fault({"(x)", "repeat half:", "  x = cast(x)", "return x"}) == "the number of repetitions is 0.5");
  CHECK(fault({"(x)", "repeat 5000:", "  x = cast(x)", "return x"}) == "the forward has too many statements");
}

TEST_CASE("program: statements without gradients", "[program]") {
  const auto program = compile({"(x)", "no_grad: x = cast(x)", "return softmax(x)"});
  INFO(error_text(program));
  REQUIRE(program);
  CHECK(program->code[0].no_grad);
  CHECK_FALSE(program->code[1].no_grad);
}

TEST_CASE("program: a list of experts, slices and an activation module", "[program]") {
  const std::string modules = R"j({ "list": "[linear(4, 4) for i in 4]", "act_fn": "activation('silu')" })j";
  const auto each = one("each_expert(list, ta, tb, tc)", modules);
  CHECK(each.op == Op::each_expert);
  CHECK(each.child == 0);
  CHECK(each.inputs == Slots{0, 1, 2});
  const auto slices = one("per_slice(list, ta, 1)", modules);
  CHECK(slices.op == Op::per_slice);
  CHECK(slices.ints == Ints{1});
  const auto experts = one("experts(ta, tb, tc, td, ta, act=act_fn)", modules);
  CHECK(experts.child == 1);
  CHECK(experts.text.empty());
}

TEST_CASE("program: tensors of the block, its buffers and its children", "[program]") {
  const std::string modules = R"j({ "lin": "linear(4, 4)" })j";
  const std::string more = R"j("tensors": { "weight": ["d", "n"] }, "buffers": { "bias": ["d"] },)j";
  const auto program =
      compile({"(x)", "y = linear(x, weight, bias)", "z = linear(y, lin.weight)", "return z"}, modules, more);
  INFO(error_text(program));
  REQUIRE(program);
  CHECK(program->code[0].op == Op::parameter);
  CHECK(program->code[0].text == "weight");
  CHECK(program->code[0].child == -1);
  CHECK(program->code[1].text == "bias");
  CHECK(program->code[3].child == 0);
  CHECK(program->code[3].text == "weight");
}

TEST_CASE("program: conditions choose when the model is built", "[program]") {
  const auto program = compile({"(x)", "if off: x = act(x, 'relu')", "if not off: x = softmax(x)",
                                "y = x if off else cast(x)", "if off: return x", "if n == 3: return y, x", "return x"});
  INFO(error_text(program));
  REQUIRE(program);
  REQUIRE(program->code.size() == 2);
  CHECK(program->code[0].op == Op::softmax);
  CHECK(program->code[1].op == Op::cast);
  CHECK(program->results == Slots{2, 1});
}

TEST_CASE("program: tuples", "[program]") {
  const auto program = compile({"(x, y)", "pe = x, y", "a, b = y, x", "return a,"});
  INFO(error_text(program));
  REQUIRE(program);
  REQUIRE(program->code.size() == 2);
  CHECK(program->code[0].op == Op::make_tuple);
  CHECK(program->code[0].inputs == Slots{0, 1});
  CHECK(program->code[1].op == Op::make_tuple);
  CHECK(program->code[1].inputs == Slots{1});
  CHECK(program->results == Slots{3});
}

TEST_CASE("program: faults of statements", "[program][errors]") {
  CHECK(fault({"x"}) == "the first line of a forward names its inputs: \"(x, mask)\"");
  CHECK(fault({"(x, 3)", "return x"}) == "\"3\" is not a name");
  CHECK(fault({"(x, x)", "return x"}) == "input \"x\" is named twice");
  CHECK(fault({"(x)", "y = x"}) == "the forward has no return");
  CHECK(fault({"(x)", "if off: return x"}) == "no return of this forward applies to the config");
  CHECK(fault({"(x)", "cast(x)", "return x"}).starts_with("a statement is \"name = ...\""));
  CHECK(fault({"(x)", "return z"}) == "unknown name \"z\"");
  CHECK(fault({"(x)", "return casst(x)"}) == "unknown module or operation \"casst\"");
  CHECK(fault({"(x)", "return transpose(x, 1)"}) == "transpose() lacks \"b\"");
  CHECK(fault({"(x)", "return cast(x, 1)"}) == "cast() is given 2 arguments and takes at most 1");
  CHECK(fault({"(x)", "return transpose(x, 1, b=2, c=3)"}) == "transpose() has no parameter \"c\"");
  CHECK(fault({"(x)", "return transpose(x, 1, 2, a=1)"}) == "transpose() is given \"a\" twice");
  CHECK(fault({"(x)", "q = rope(x, x, x, x)", "return q"}) == "rope gives 2 values, 1 assigned");
  CHECK(fault({"(x)", "return cast(rope(x, x, x, x))"}) == "rope gives several values: assign them to names first");
  CHECK(fault({"(x)", "a, b, c = x, x", "return a"}) == "2 values, 3 names");
  CHECK(fault({"(x)", "a, b = cast(x)", "return a"}) == "cast gives one value");
  CHECK(fault({"(x)", "a, b = split(x, [1, 2, 3], 0)", "return a"}) ==
        "split: 3 sizes are given and 2 names are assigned");
  CHECK(fault({"(x)", "a, b = chunk(x, 3, 0)", "return a"}) == "chunk: 3 pieces and 2 names assigned");
  CHECK(fault({"(x)", "return view_heads(x, 0)"}) == "view_heads: d is 0");
  CHECK(fault({"(x)", "return view_heads(x, half)"}) == "view_heads: d is 0.5, an integer up to 2^40 is needed");
  CHECK(fault({"(x)", "return view_heads(x, x)"}) ==
        "\"x\" is a tensor or a module; a value of the config is needed here");
  CHECK(fault({"(x)", "return attention(x, x, x, none, cache='latent')"}) ==
        "attention: cache=\"latent\" and cache_width go together");
  CHECK(fault({"(x)", "return reshape(x, -1, -1)"}) == "reshape: more than one extent is -1");
  CHECK(fault({"(x)", "return x % 2"}) == "tensors have + - * / only");
  CHECK(fault({"(x)", "return 1 / x"}) == "a number divided by a tensor is not an operation");
  CHECK(fault({"(x)", "return x / 0"}) == "division by zero");
  CHECK(fault({"(x)", "return x + nothing"}) == "a number is needed beside the tensor, not null");
  CHECK(fault({"(x)", "return cast(d)"}) == "a tensor or none is needed here, not 8");
  CHECK(fault({"(x)", "if off: y = x", "return y"}) == "\"y\" has no value here for this config");
  CHECK(fault({"(x)", "if off: if off: y = x", "return x"}) == "a statement has at most one \"if\"");
  CHECK(fault({"(x)", "if off y = x", "return x"}) == "\":\" is missing after the condition");
  CHECK(fault({"(x)", "3 = x", "return x"}) == "\"3\" is not a name that can be assigned");
}

TEST_CASE("program: faults of calls and loops", "[program][errors]") {
  const std::string modules =
      R"j({ "lin": "linear(4, 4) if off", "list": "[linear(4, 4) for i in n]", "two": "Two()" })j";
  CHECK(fault({"(x)", "return lin(x)"}, modules) == "module \"lin\" is left out for this config and called here");
  CHECK(fault({"(x)", "return list(x)"}, modules) ==
        "\"list\" is a list of modules; its elements are called in a loop");
  CHECK(fault({"(x)", "for a in lits: x = a(x)", "return x"}, modules) == "unknown module list \"lits\"");
  CHECK(fault({"(x)", "for a in two: x = a(x)", "return x"}, modules) == "a loop runs over a list of modules");
  CHECK(fault({"(x, m)", "for a in list: x = a(m, x)", "return x"}, modules)
            .starts_with("the first argument of a loop's call"));
  CHECK(fault({"(x, m)", "for a in list: x = a(x, x)", "return x"}, modules) ==
        "a loop hands on \"x\" as its first argument only");
  CHECK(fault({"(x)", "for a in list: x = cast(x)", "return x"}, modules)
            .starts_with("the body of a loop calls the element"));
  CHECK(fault({"(x)", "return two.outer(x)"}, modules) == "module \"two\" has no module \"outer\" for this config");
  CHECK(fault({"(x)", "return linear(x, two.weight)"}, modules) ==
        "the module has no tensor \"weight\" for this config");
  CHECK(fault({"(x)", "return per_slice(two, x, 1)"}, modules) == "a list of modules is needed");
  CHECK(fault({"(x)", "return linear(x, w)"}, "{}", R"j("tensors": { "w": ["d", "if off"] },)j") ==
        "tensor \"w\" is left out for this config");
}

TEST_CASE("program: a fault points into its statement", "[program][errors]") {
  const auto program = compile({"(x)", "y = cast(x) + view_heads(x, heads)", "return y"});
  CHECK(error_text(program) ==
        "error: unknown name \"heads\"\n"
        "  --> toy.json#/blocks/ForCausalLM/forward/1\n"
        "  y = cast(x) + view_heads(x, heads)\n"
        "                              ^^^^^\n");
}

TEST_CASE("program: each operation is found by its name", "[program]") {
  for (const auto& operation : operations()) CHECK(find_operation(operation.name) == &operation);
  CHECK(find_operation("no_such") == nullptr);
}

}  // namespace tpsim
