#include <algorithm>
#include <cstdio>
#include <new>
#include <optional>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/json_writer.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/serve_predictions.h"
#include "cli/serve_request.h"
#include "cli/text.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kLongestLine = 16u << 20;

// Lines of standard input, as they come.
class Lines {
public:
  struct Line {
    std::string text;
    bool too_long = false;  // `text` is empty
  };

  // None at the end of the input.
  std::optional<Line> next() {
    Line line;
    for (int c = std::getc(stdin); c != '\n'; c = std::getc(stdin)) {
      if (c == EOF) return started(line) ? std::optional(std::move(line)) : std::nullopt;
      if (line.too_long) continue;
      line.text += static_cast<char>(c);
      if (line.text.size() <= kLongestLine) continue;
      line.too_long = true;
      line.text = {};
    }
    return line;
  }

private:
  static bool started(const Line& line) { return line.too_long || !line.text.empty(); }
};

// A document without the line breaks between its members; strings hold none.
std::string on_one_line(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '\n') {
      out += json[i];
      continue;
    }
    while (i + 1 < json.size() && json[i + 1] == ' ') ++i;
  }
  return out;
}

std::string answer_text(const std::string& id, int exit, std::string_view document) {
  return R"({"id":)" + id + R"(,"ok":true,"exit":)" + std::to_string(exit) + R"(,"result":)" + on_one_line(document) +
         "}\n";
}

std::string refusal_text(const std::string& id, const Error& error) {
  return R"({"id":)" + id + R"(,"ok":false,"exit":)" + std::to_string(exit_code(error.kind)) + R"(,"error":)" +
         on_one_line(error_json(error)) + "}\n";
}

std::string greeting() {
  std::string out;
  JsonWriter json(out, 0);
  json.begin_object();
  json.member("schema", "tpsim.serve/1");
  json.key("tool");
  json.begin_object();
  json.member("name", "tpsim");
  json.member("version", kVersion);
  json.end_object();
  json.array("methods", serve_methods());
  json.end_object();
  return out;
}

class Server {
public:
  explicit Server(Settings settings) : settings_(std::move(settings)) {}

  std::string answer(const std::string& line) {
    const ServeRequest request = read_request(line);
    if (request.error) return refusal_text(request.id, *request.error);
    try {
      int exit = kExitYes;
      const auto document = document_of(request, exit);
      return document ? answer_text(request.id, exit, *document) : refusal_text(request.id, document.error());
    } catch (const std::bad_alloc&) {
      return refusal_text(request.id, {ErrorKind::environment, {}, "out of memory", {}, {}, {}});
    } catch (const std::exception& e) {
      return refusal_text(request.id, {ErrorKind::internal, {}, e.what(), {}, {}, {}});
    }
  }

private:
  Result<std::string> document_of(const ServeRequest& request, int& exit) {
    if (request.method == "hello") return greeting();
    const bool predicts = request.method == "predict";
    auto invocation = parse_arguments(command_line(request, predicts ? "sweep" : request.method), settings_);
    if (!invocation) return of_request(invocation.error());
    Options& options = invocation->options;
    options.texts = request.texts;
    options.format = Format::json;
    options.quiet = true;
    return predicts ? predictions_.answer(options) : command_answer(*invocation, exit);
  }

  static std::vector<std::string> command_line(const ServeRequest& request, std::string_view command) {
    std::vector<std::string> words;
    const auto space = command.find(' ');
    words.emplace_back(command.substr(0, space));
    if (space != std::string_view::npos) words.emplace_back(command.substr(space + 1));
    words.insert(words.end(), request.arguments.begin(), request.arguments.end());
    return words;
  }

  // Usage lines are those of a command line.
  static Error of_request(Error error) {
    std::erase_if(error.details, [](const std::string& line) { return line.starts_with("usage:"); });
    return error;
  }

  static Result<std::string> command_answer(const Invocation& invocation, int& exit) {
    Context context{*invocation.command, invocation.options, {}, {}, {}, {}};
    const auto code = invocation.command->run(context);
    if (!code) return code.error();
    exit = *code;
    return std::move(context.out);
  }

  Settings settings_;
  ServePredictions predictions_;
};

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

Error line_too_long() {
  return usage_error("a request of more than " + grouped(static_cast<std::int64_t>(kLongestLine)) + " bytes");
}

Result<int> run(Context& context) {
  auto settings = load_settings();
  if (!settings) return settings.error();
  Server server(*std::move(settings));
  Lines lines;
  context.output_written = true;
  while (const auto line = lines.next()) {
    if (!line->too_long && is_blank(line->text)) continue;
    const auto written =
        write_stdout(line->too_long ? refusal_text("null", line_too_long()) : server.answer(line->text));
    if (!written) return written.error();
    if (!*written) break;
  }
  return kExitYes;
}

}  // namespace

Command serve_command() {
  Command command;
  command.name = "serve";
  command.summary = "answer questions in JSON, one per line, without starting a process for each";
  command.flags = kServeFlags;
  command.required = {"stdio"};
  command.examples = {
      {R"(echo '{"id": 1, "method": "predict", "params": {"model": "llama-3.1-8b", "tp": 2}}' | tpsim serve --stdio)",
       ""},
      {R"(echo '{"method": "hello"}' | tpsim serve --stdio)", "the methods"}};
  command.description =
      "Reads requests from standard input until it ends and writes one line for each, in order: "
      R"({"id", "ok": true, "exit", "result"} or {"id", "ok": false, "exit", "error"}. )"
      "A method is the name of a command, params are its long flags (- or _ between words), args its other words. "
      "model, plan, ep-plan, strategy-file and hw may also hold the document itself. result is the document that the "
      "command writes with --json, exit its exit code. The method predict answers with rows as tpsim sweep writes "
      "them and keeps what it analysed: some ten thousand per second. A bad request is answered with its error; the "
      "next one is read.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
