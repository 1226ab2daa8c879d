#include "cli/help.h"

namespace tpsim::cli {
namespace {

constexpr std::string_view kEnvironment =
    R"(tpsim help environment: variables that tpsim reads

  TPSIM_DATA       folders with more data files (plans/..., sim/hardware/...), separated by ':'; the first
                   wins, and all of them win over what is built in
  NO_COLOR         set and not empty: no colour, unless --color says otherwise
  CLICOLOR=0       no colour
  CLICOLOR_FORCE   set and not 0: colour even where the output is no terminal
  TERM=dumb        no colour
  COLUMNS          width of tables, unless --width says otherwise
  LC_ALL, LC_CTYPE, LANG
                   a UTF-8 locale allows characters beyond ASCII; numbers never depend on the locale
  TPSIM_PAGER, PAGER
                   shows help and explain on a terminal; empty: no pager (default: less -FIRX)

  TPSIM_HW, TPSIM_DIALECT, TPSIM_STACK, TPSIM_DTYPE, TPSIM_UNITS ...
                   a value for the flag of that name where it is not given (tpsim help settings)

A flag wins over a variable, a variable over the default. tpsim never uses the network.
)";

constexpr std::string_view kSettings =
    R"(tpsim help settings: defaults of your own

A JSON object with the long names of flags as its members:
    { "hw": "h200", "stack": "vllm", "units": "si" }

In order, the first that has a value wins:
    the flag
    the environment          TPSIM_HW=h200
    the project's file       tpsim-settings.json in this folder, or in the nearest folder above it that has one
    the user's file          $TPSIM_CONFIG, else $XDG_CONFIG_HOME/tpsim/config.json, else
                             ~/.config/tpsim/config.json
    what is built in

There are settings for dialect, tp, hw, gpus, nodes, link, profile, stack, batch, prompt, ctx, dtype, kv-dtype,
units, width, color and ascii. A command takes those whose flags it has; commands about measurements (run, validate,
evaluate, calibrate) only units, width, color and ascii. NO_COLOR and CLICOLOR_FORCE go before "color" in a file.
tpsim doctor --settings shows each value and where it comes from.
)";

constexpr std::string_view kExitCodes =
    R"(tpsim help exit-codes

    0  done; the answer is yes, or there is no problem
    1  done; the answer is "no": the plan has errors (check), it does not fit (fit, --require-fit)
    2  wrong use: unknown flag, command or code, bad value
    3  an input cannot be used: missing, unreadable, corrupt, a field missing, architecture not described
    4  the environment lacks something: no space to write, no permission, no MPI, too little memory; or a
       rank of a run was killed or does not answer
    5  executed but wrong: the sharded run gives other numbers than the unsharded one
   70  internal error, a bug in tpsim
  130, 143  interrupted by Ctrl-C, by TERM

--json never changes the exit code. --exit-zero turns 1 into 0. An output that is closed early (| head) ends
tpsim quietly with 0.
)";

constexpr std::string_view kOutput =
    R"(tpsim help output: formats, fields, widths

Data go to standard output, everything else to standard error. The same input gives the same bytes.

  --format table   for people: columns by width (100 and more: all; 80 to 99: the main ones; below: one
                   block per row), rows are never wrapped
  --format plain   all fields, aligned, one row per line; a missing value is -
  --format csv     all fields, RFC 4180
  --format ndjson  all fields, one JSON object per row
  --format json    the whole document; its schema stands in "schema" and in docs/schema/ (--json)
  --format md, html
                   documents
  -o FILE          written whole or not at all; .json .ndjson .csv .md .html set the format

Names of fields carry the unit: bytes are whole numbers, times are microseconds (_us), shares go from 0 to 1.
  --fields a,b     these fields in this order; for JSON dotted paths such as results.memory
  --fields=        lists the names
  --sort F, -F     by field, ascending or descending
  --no-header, -q  without the header line; without heading, notes and warnings

Errors have a code where `tpsim explain CODE` has more to say. With --json an error is the document
{"schema":"tpsim.error/1","code","exit","message","where","details","fixes"}, with its text on standard error.
At most 20 problems are printed in full; counts are always right.
)";

constexpr std::string_view kUnits =
    R"(tpsim help units

Input   4k = 4000, 4Ki = 4096; also M G T and Mi Gi Ti, in either case of letters
        --tp 1,2,4,8   1..16   2,8..12   valid (the sizes at which the plan is right)
        --link 450 is 450e9 bytes per second, per GPU and direction
Output  --units iec    KiB = 1024 bytes, MiB, GiB, TiB (default)
        --units si     kB = 1000 bytes, MB, GB, TB
        --units bytes  whole bytes
        Rates are always decimal: 3.35 TB/s = 3.35e12 bytes per second, 989 TFLOP/s = 989e12.
        Times are s, ms, us; in JSON, CSV and NDJSON always microseconds.
)";

constexpr std::string_view kDialects =
    R"(tpsim help dialects: which Transformers a plan is read for

What a tp_plan means has changed four times. --dialect transformers-VERSION selects a release from 4.47 to 5.23 (the
patch number is optional); the default, latest, is 5.23.

  4.47 - 4.49   torch's parallelize_module; colwise, rowwise, and their _rep forms
  4.50 - 5.0    own classes; inputs and outputs are wrapped as DTensor by hooks; local_*, gather; a user's
                dictionary is accepted from 5.0
  5.1  - 5.15   plain tensor shards and autograd functions in hooks; names such as colwise_gather_output
  5.16 - 5.23   DTensor parameters, module.forward replaced; from 5.19 a user's dictionary is merged into the
                shipped plan and a key that matches nothing is refused

tpsim strategies list --dialect VERSION shows the names of a release; tpsim plan convert --to VERSION rewrites a
plan; tpsim check says what a release would do with it: right (the numbers of the unsharded model), wrong (it runs
with other numbers or shapes) or error (it raises or hangs).
)";

constexpr std::string_view kAccuracy =
    R"(tpsim help accuracy

Exact: parameter counts, shard ranges and shapes, bytes of weights and of the KV cache, collectives with their
order, shapes and payloads, verdicts. They are compared for equality with recorded runs of Transformers.

Assumptions, named in every document under "assumptions": activations are the largest sum of tensors alive at one
time, without the allocator's loss; communication buffers are the largest collective's, twice; the runtime reserve
is a constant of the hardware file; experts are chosen uniformly.

Times: a first analytic model, not calibrated: for each operation the larger of work over attained peak and bytes over
attained bandwidth, at least one kernel's floor; for each collective steps times latency plus bytes over attained
link rate. Nothing overlaps. It uses data-sheet figures; expect an error of about 35 % for a pure forward pass on
a lean stack, more where kernels are short (small batches, high TP), and longer times on stacks that spend host time
on every step. Every time carries its band (low, high) and its source.
)";

}  // namespace

const std::vector<HelpTopic>& help_topics() {
  static const std::vector<HelpTopic> topics = {
      {"environment", "variables that tpsim reads", kEnvironment},
      {"settings", "defaults of your own", kSettings},
      {"exit-codes", "what the exit code says", kExitCodes},
      {"output", "formats, fields, widths, colours", kOutput},
      {"units", "sizes, bytes and times", kUnits},
      {"dialects", "releases of Transformers", kDialects},
      {"accuracy", "what is exact, what is estimated", kAccuracy},
  };
  return topics;
}

}  // namespace tpsim::cli
