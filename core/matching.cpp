#include "core/matching.h"

#include <algorithm>
#include <optional>
#include <regex>
#include <tuple>

namespace tpsim {
namespace {

constexpr std::size_t kLongestRegex = 1000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool searches_weights(const Dialect& dialect) { return dialect.at_least(5, 0) && dialect.below(5, 16); }

bool hooks_by_parameter(const Dialect& dialect) { return dialect.at_least(4, 50) && dialect.below(4, 54); }

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const auto end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

bool is_number(std::string_view component) { return !component.empty() && std::ranges::all_of(component, is_digit); }

// Every run of digits, wherever it stands: "w1" -> "w*".
std::string replace_digit_runs(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_digit(name[i])) {
      text += name[i];
      continue;
    }
    while (i + 1 < name.size() && is_digit(name[i + 1])) ++i;
    text += '*';
  }
  return text;
}

// Components that are numbers, except the first of the name and any right after a replaced one: "a.0.1.w" -> "a.*.1.w".
std::string replace_number_components(std::string_view name) {
  std::string text;
  bool may_replace = false;
  for (const auto component : split(name, '.')) {
    if (!text.empty() || may_replace) text += '.';
    const bool replace = may_replace && is_number(component);
    text += replace ? std::string_view("*") : component;
    may_replace = !replace;
  }
  return text;
}

// Python's fnmatch for one path component.
bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool path_matches(const std::vector<std::string>& pattern, const std::vector<std::string_view>& path) {
  return std::ranges::equal(pattern, path, glob_matches);
}

// Where `piece` first occurs at or after `begin`; '.' in it stands for any character.
std::optional<std::size_t> find_piece(std::string_view text, std::string_view piece, std::size_t begin) {
  for (std::size_t at = begin; at + piece.size() <= text.size(); ++at) {
    const auto same = [](char wanted, char real) { return wanted == '.' || wanted == real; };
    if (std::equal(piece.begin(), piece.end(), text.begin() + static_cast<std::ptrdiff_t>(at), same)) return at;
  }
  return std::nullopt;
}

bool has_other_metacharacters(std::string_view key) {
  return key.find_first_of("+?()[]{}^$|\\") != std::string_view::npos;
}

// The polynomial matcher: a hostile key costs time, not a hang.
std::optional<std::regex> compile(std::string_view key) {
  if (key.size() > kLongestRegex) return std::nullopt;
  std::string body;
  for (const char c : key) body += c == '*' ? std::string(".*") : std::string(1, c);
  try {
    return std::regex(body, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

bool can_see_indices(std::string_view key, const Dialect& dialect) {
  if (dialect.below(4, 50)) return key.find_first_of("0123456789?[") != std::string_view::npos;
  if (dialect.below(5, 0)) return false;
  if (searches_weights(dialect))
    return has_other_metacharacters(key) || key.find("..") != std::string_view::npos ||
           std::ranges::any_of(key, is_digit);
  const auto components = split(key, '.');
  for (std::size_t i = 0; i < components.size(); ++i)
    if (is_number(components[i]) && (i == 0 || components[i - 1] == "*")) return true;
  return false;
}

}  // namespace

struct Matcher::Pattern {
  std::vector<std::string> pieces;  // between `*` (5.0 - 5.15), or path components (up to 4.49)
  std::optional<std::regex> regex;  // instead, where the key holds more than `*` and `.`

  // Start of the leftmost match.
  std::optional<std::size_t> search(std::string_view text) const {
    if (regex) {
      std::cmatch match;
      if (!std::regex_search(text.data(), text.data() + text.size(), match, *regex)) return std::nullopt;
      return static_cast<std::size_t>(match.position(0));
    }
    const auto start = find_piece(text, pieces.front(), 0);
    auto at = start;
    for (std::size_t i = 1; i < pieces.size() && at; ++i) at = find_piece(text, pieces[i], *at + pieces[i - 1].size());
    return at ? start : std::nullopt;
  }
};

Matcher::Matcher(const std::vector<ResolvedRule>& rules, const Dialect& dialect) : dialect_(dialect) {
  std::vector<Pattern> patterns;
  const bool searches = searches_weights(dialect), globs = dialect.below(4, 50);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string& key = rules[i].rule.key;
    exact_.push_back({key, static_cast<int>(i)});
    index_sensitive_ = index_sensitive_ || can_see_indices(key, dialect);
    if (!searches && !globs) continue;
    Pattern pattern;
    for (const auto piece : split(key, searches ? '*' : '.')) pattern.pieces.emplace_back(piece);
    if (searches && has_other_metacharacters(key)) pattern.regex = compile(key);
    patterns.push_back(std::move(pattern));
  }
  std::ranges::sort(exact_,
                    [](const Key& a, const Key& b) { return std::tie(a.text, a.rule) < std::tie(b.text, b.rule); });
  patterns_ = std::make_shared<const std::vector<Pattern>>(std::move(patterns));
}

int Matcher::exact_rule(std::string_view normalised) const {
  const auto found =
      std::ranges::lower_bound(exact_, normalised, {}, [](const Key& key) { return std::string_view(key.text); });
  return found != exact_.end() && found->text == normalised ? found->rule : -1;
}

int Matcher::glob_rule(std::string_view name) const {
  const auto path = split(name, '.');
  for (std::size_t i = 0; i < patterns_->size(); ++i)
    if (path_matches((*patterns_)[i].pieces, path)) return static_cast<int>(i);
  return -1;
}

// One alternation of all keys: the leftmost match wins, among equals the first key.
int Matcher::search_rule(std::string_view name) const {
  int best = -1;
  std::size_t best_start = std::string_view::npos;
  for (std::size_t i = 0; i < patterns_->size(); ++i) {
    const auto start = (*patterns_)[i].search(name);
    if (!start || *start >= best_start) continue;
    best = static_cast<int>(i);
    best_start = *start;
  }
  return best;
}

int Matcher::module_rule(std::string_view name, std::string_view first_parameter) const {
  if (dialect_.below(4, 50)) return glob_rule(name);
  if (hooks_by_parameter(dialect_) && !first_parameter.empty()) {
    const int rule = parameter_rule(std::string(name) + "." + std::string(first_parameter));
    if (rule >= 0) return rule;
  }
  return exact_rule(normalise_name(name, dialect_));
}

int Matcher::parameter_rule(std::string_view name) const {
  const auto owner = name.substr(0, name.rfind('.') == std::string_view::npos ? 0 : name.rfind('.'));
  if (dialect_.below(4, 50)) return glob_rule(owner);
  if (searches_weights(dialect_)) return search_rule(name);
  const std::string normalised = normalise_name(name, dialect_);
  const int own = exact_rule(normalised);
  if (own >= 0 || owner.empty()) return own;
  return exact_rule(std::string_view(normalised).substr(0, normalised.rfind('.')));
}

std::string normalise_name(std::string_view name, const Dialect& dialect) {
  return dialect.below(5, 0) ? replace_digit_runs(name) : replace_number_components(name);
}

bool is_valid_key(std::string_view key, const Dialect& dialect) {
  return !searches_weights(dialect) || !has_other_metacharacters(key) || compile(key).has_value();
}

}  // namespace tpsim
