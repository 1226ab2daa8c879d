#include "cli/run.h"

#include <exception>
#include <new>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/settings.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

int report_error(const Error& error, bool as_json, const Options& options) {
  if (as_json) (void)write_stdout(error_json(error));
  write_stderr(error_text(error, detect_terminal(Stream::err, options)));
  return exit_code(error.kind);
}

Error internal_error(const std::string& what) {
  Error error{ErrorKind::internal, {}, what, {}, {}, {}};
  error.details.push_back("this is a bug in tpsim " + std::string(kVersion) + ", not in your input");
  error.fixes.push_back("report it with the command line and this message");
  return error;
}

int print(const std::string& text, bool long_text) {
  if (long_text && page(text)) return kExitYes;
  const auto written = write_stdout(text);
  return written ? kExitYes : report_error(written.error(), false, {});
}

int show_help(const Invocation& invocation) {
  const Options& options = invocation.options;
  const int width = detect_terminal(Stream::out, options).width;
  const bool with_examples = !options.short_help;
  return print(
      invocation.command ? command_help(*invocation.command, with_examples, width) : general_help(with_examples, width),
      true);
}

Result<void> deliver(const Context& context) {
  if (context.options.output && !context.output_written) return write_file(*context.options.output, context.out);
  if (context.long_text && page(context.out)) return {};
  const auto written = write_stdout(context.out);
  if (!written) return written.error();
  return {};
}

int run_command(const Invocation& invocation) {
  const Options& options = invocation.options;
  // --json, not a file's name: -o profile.json is written by calibrate, and errors stay text.
  const bool as_json = options.format == Format::json;
  Context context{*invocation.command,
                  options,
                  detect_terminal(Stream::out, options),
                  detect_terminal(Stream::err, options),
                  {},
                  {}};
  const Result<int> code = invocation.command->run(context);
  if (!code) return report_error(code.error(), as_json, options);
  if (const auto delivered = deliver(context); !delivered) return report_error(delivered.error(), as_json, options);
  write_stderr(context.err);
  return *code == kExitNo && options.exit_zero ? kExitYes : *code;
}

int run_unguarded(const std::vector<std::string>& arguments) {
  const auto settings = load_settings();
  if (!settings) return report_error(settings.error(), asks_for_json(arguments), {});
  const auto invocation = parse_arguments(arguments, *settings);
  if (!invocation) return report_error(invocation.error(), asks_for_json(arguments), {});
  if (invocation->options.long_help) return show_help(*invocation);
  if (invocation->options.version) return print("tpsim " + std::string(kVersion) + "\n", false);
  return run_command(*invocation);
}

}  // namespace

int run(const std::vector<std::string>& arguments) {
  const bool as_json = asks_for_json(arguments);
  try {
    return run_unguarded(arguments);
  } catch (const std::bad_alloc&) {
    return report_error({ErrorKind::environment, {}, "out of memory", {}, {}, {}}, as_json, {});
  } catch (const std::exception& e) {
    return report_error(internal_error(e.what()), as_json, {});
  }
}

}  // namespace tpsim::cli
