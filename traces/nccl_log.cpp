#include "traces/nccl_log.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>

#include "core/text_file.h"
#include "traces/nccl_log_line.h"

namespace tpsim {
namespace {

constexpr std::size_t kLongestLine = 1u << 16, kMostKinds = 4096, kMostRanks = 1u << 20;

// Counts kinds of things, up to a bound; the rest is one kind.
template <class Key>
void count(std::map<Key, std::int64_t>& counts, const Key& key) {
  const auto it = counts.find(key);
  if (it != counts.end())
    ++it->second;
  else if (counts.size() < kMostKinds)
    counts.emplace(key, 1);
}

void add_once(std::vector<std::string>& list, std::string_view item) {
  if (item.empty() || list.size() >= kMostKinds || std::find(list.begin(), list.end(), item) != list.end()) return;
  list.emplace_back(item);
}

bool starts_with_digit(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0;
}

std::string_view word(std::string_view text) { return text.substr(0, text.find(' ')); }

std::string_view after(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + key.size());
}

class LogReader {
public:
  explicit LogReader(std::string file) { log_.file = std::move(file); }

  void line(std::string_view raw) {
    ++log_.lines;
    const std::string text = cleaned(raw.substr(0, kLongestLine));
    const auto statements = statements_of(text);
    if (!statements.empty()) ++log_.nccl_lines;
    if (statements.empty() && text.find("Init COMPLETE") != std::string::npos) torn_completion(text);
    bool all = true;
    for (const NcclStatement& statement : statements) all &= take(statement);
    if (!statements.empty() && all) ++log_.recognised;
  }

  NcclLog finish() {
    for (auto& [id, communicator] : communicators_) log_.communicators.push_back(std::move(communicator));
    std::stable_sort(log_.communicators.begin(), log_.communicators.end(),
                     [](const auto& a, const auto& b) { return a.size > b.size; });
    add_notes();
    return std::move(log_);
  }

private:
  bool take(const NcclStatement& s) {
    if (!s.host.empty()) log_.hosts.insert(s.host);
    if (s.level == NcclLevel::version) return add_once(log_.versions, word(s.text)), true;
    if (s.level == NcclLevel::warning) return count(log_.warnings, std::string(s.text)), true;
    const bool known = communicator(s) || network(s.text) || channel(s.text) || choice(s.text) || collective(s.text) ||
                       setting(s.text) || topology(s.text) || failure(s.text) || s.level == NcclLevel::trace;
    if (!known) count(log_.unrecognised, kind_of(s.text));
    return known;
  }

  // "comm 0x.. rank 0 nranks 16 cudaDev 0 nvmlDev 0 busId 8d000 commId 0x75.. - Init START"
  bool communicator(const NcclStatement& s) {
    const auto rank = number_after(s.text, "rank"), size = number_after(s.text, "nranks");
    const bool complete = s.text.find("Init COMPLETE") != std::string_view::npos ||
                          s.text.find("init complete") != std::string_view::npos;
    const bool starts = s.text.find("Init START") != std::string_view::npos;
    if (!rank || !size || (!complete && !starts)) {
      if (complete) ++torn_;
      return complete || starts || s.text.starts_with("Init timings") ||
             s.text.find("Destroy COMPLETE") != std::string_view::npos ||
             s.text.find("Abort COMPLETE") != std::string_view::npos;
    }
    if (*rank < 0 || *size < 1 || *rank >= *size || *size > static_cast<long long>(kMostRanks)) return false;
    const auto id = word_after(s.text, "commId");
    NcclCommunicator& group = communicators_[std::string(id.value_or("")) + "/" + std::to_string(*size)];
    group.id = id.value_or("");
    group.size = static_cast<int>(*size);
    if (ranks_seen_ >= kMostRanks) return true;
    const auto [it, fresh] = group.ranks.try_emplace(static_cast<int>(*rank));
    ranks_seen_ += fresh ? 1 : 0;
    NcclRank& r = it->second;
    r.rank = static_cast<int>(*rank);
    r.device = static_cast<int>(number_after(s.text, "cudaDev").value_or(s.device));
    if (!s.host.empty()) r.host = s.host;
    if (const auto bus = word_after(s.text, "busId")) r.bus_id = *bus;
    r.started |= starts;
    r.complete |= complete;
    return true;
  }

  // The rest of a line that another writer has torn: " 12 nranks 16 cudaDev 4 ... commId 0x75.. - Init COMPLETE" still
  // says which rank it is of; with less, only that there is one.
  void torn_completion(std::string_view t) {
    ++torn_;
    const auto size = number_after(t, "nranks");
    const auto id = word_after(t, "commId");
    while (t.starts_with(' ')) t.remove_prefix(1);
    int rank = -1;
    const auto [end, status] = std::from_chars(t.data(), t.data() + t.size(), rank);
    const bool named =
        status == std::errc() && t.substr(static_cast<std::size_t>(end - t.data())).starts_with(" nranks ");
    if (!size || !named) {
      ++lost_completions_;
      return;
    }
    const auto group = communicators_.find(std::string(id.value_or("")) + "/" + std::to_string(*size));
    if (group == communicators_.end()) return;
    if (const auto it = group->second.ranks.find(rank); it != group->second.ranks.end()) it->second.complete = true;
  }

  bool network(std::string_view t) {
    if (t.starts_with("Using network ")) return add_network(t.substr(14)), true;
    if (t.starts_with("NET/") && t.find(" : Using ") != std::string_view::npos)
      return adapters(after(t, " : Using ")), true;
    if (t.starts_with("NET/OFI")) {
      if (const auto provider = word_after(t, "Provider is")) add_once(log_.adapters, *provider);
      return true;
    }
    if (t.find("plugin") != std::string_view::npos || t.find("Plugin") != std::string_view::npos) {
      if (const auto name = after(t, "Loaded net plugin "); !name.empty()) add_once(log_.plugins, name);
      if (const auto name = after(t, "Loaded coll plugin "); !name.empty()) add_once(log_.plugins, name);
      if (const auto name = after(t, "Successfully loaded external plugin "); !name.empty())
        add_once(log_.plugins, name);
      return true;
    }
    if (t.find("GPU Direct RDMA") != std::string_view::npos) {
      ++(t.find("Disabled") == std::string_view::npos ? log_.gdr_enabled : log_.gdr_disabled);
      return true;
    }
    return t.starts_with("NET/") || t.starts_with("Bootstrap") || t.starts_with("bootstrap");
  }

  void add_network(std::string_view name) {
    constexpr std::size_t longest = 60;
    if (log_.networks.size() < kMostKinds) log_.networks.emplace(name.substr(0, longest));
  }

  // "[0]mlx5_0:1/IB/SHARP [1]mlx5_1:1/IB [RO]; OOB eth0:10.0.0.1<0>"; addresses are left out.
  void adapters(std::string_view list) {
    list = list.substr(0, list.find(';'));
    while (!list.empty()) {
      const auto space = std::min(list.find(' '), list.size());
      std::string_view item = list.substr(0, space);
      list.remove_prefix(std::min(space + 1, list.size()));
      const auto close = item.find(']');
      if (!item.starts_with('[') || close == std::string_view::npos || close + 1 >= item.size()) continue;
      item.remove_prefix(close + 1);
      if (item.find('<') != std::string_view::npos) item = item.substr(0, item.find(':'));
      add_once(log_.adapters, item);
    }
  }

  // "Channel 00/16 : 0 7 6", "Ring 00 : 0 1", "Channel 00/0 : 9[1] -> 0[0] [receive] via NET/IB/4", "Trees [0] ...",
  // "24 coll channels, 24 collnet channels, 0 nvls channels, 32 p2p channels".
  bool channel(std::string_view t) {
    if (t.find("coll channels") != std::string_view::npos) {
      channels_told(t);
      return true;
    }
    if (t.starts_with("Trees ") || t.starts_with("Tree ")) return ++log_.trees, true;
    if (t.starts_with("Connected ") || t.starts_with("NVLS Head") || t.starts_with("NVLS comm")) return true;
    if (t.starts_with("NVLS multicast support is available")) return log_.nvls = true;
    if (!t.starts_with("Channel ") && !t.starts_with("Ring ")) return false;
    if (t.find("->") != std::string_view::npos) {
      const auto way = after(t, " via ");
      if (!way.empty()) count(log_.transports, transport(word(way)));
      return true;
    }
    ++log_.rings;
    const std::string_view number = word(t.substr(t.find(' ') + 1));
    const std::string_view total =
        number.find('/') == std::string_view::npos ? number : number.substr(number.find('/') + 1);
    int value = 0;
    std::from_chars(total.data(), total.data() + total.size(), value);
    if (number.find('/') == std::string_view::npos) ++value;
    log_.channels = std::max(log_.channels, value);
    return true;
  }

  void channels_told(std::string_view t) {
    const auto before = [&](std::string_view key) {
      const auto at = t.find(key);
      if (at == std::string_view::npos || at == 0) return 0;
      const auto space = t.rfind(' ', at - 2);
      const std::size_t begin = space == std::string_view::npos ? 0 : space + 1;
      int value = 0;
      std::from_chars(t.data() + begin, t.data() + at, value);
      return value;
    };
    log_.collective_channels = std::max(log_.collective_channels, before("coll channels"));
    log_.p2p_channels = std::max(log_.p2p_channels, before("p2p channels"));
  }

  // Without the number of the adapter: "NET/IB/0/GDRDMA" -> "NET/IB/GDRDMA".
  static std::string transport(std::string_view way) {
    std::string out;
    while (!way.empty()) {
      const auto slash = std::min(way.find('/'), way.size());
      const std::string_view part = way.substr(0, slash);
      const auto bracket = part.find('(');
      if (!starts_with_digit(part)) out += (out.empty() ? "" : "/") + std::string(part.substr(0, bracket));
      way.remove_prefix(std::min(slash + 1, way.size()));
    }
    return out;
  }

  // "AllReduce: 1024 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..3}", "... -> Algo 1 proto 0 time 12.3"
  bool choice(std::string_view t) {
    const auto algorithm = word_after(t, "Algo"), protocol = word_after(t, "proto");
    const auto colon = t.find(':');
    if (!algorithm || !protocol || colon == std::string_view::npos) return tuning_table(t);
    NcclChoice c;
    c.name = t.substr(0, colon);
    const std::size_t digits = t.find_first_not_of(' ', colon + 1);
    if (digits != std::string_view::npos) std::from_chars(t.data() + digits, t.data() + t.size(), c.bytes);
    c.algorithm = nccl_algorithm(*algorithm);
    c.protocol = nccl_protocol(*protocol);
    if (const auto range = after(t, "={"); !range.empty()) c.channels = channels_of(range);
    count(log_.choices, c);
    return true;
  }

  // "0..3}" -> 4
  static int channels_of(std::string_view range) {
    int low = 0, high = 0;
    const auto dots = range.find("..");
    if (dots == std::string_view::npos) return 0;
    std::from_chars(range.data(), range.data() + dots, low);
    std::from_chars(range.data() + dots + 2, range.data() + range.size(), high);
    return high >= low && high - low < 1024 ? high - low + 1 : 0;
  }

  static bool tuning_table(std::string_view t) {
    return t.find(" | ") != std::string_view::npos || t.starts_with("threadThresholds");
  }

  // "AllReduce: opCount 1e7 sendbuff 0x.. recvbuff 0x.. count 18816 datatype 7 op 0 root 0 comm 0x.. [nranks=16] ..."
  bool collective(std::string_view t) {
    const auto at = t.find(": opCount ");
    if (at == std::string_view::npos) return false;
    const auto elements = number_after(t, "count"), type = number_after(t, "datatype"),
               ranks = number_after(t, "nranks");
    if (!elements || *elements < 0 || *elements > (1LL << 56)) return ++torn_, true;
    NcclCollectiveLine c;
    c.name = t.substr(0, at);
    const int size = type && *type >= 0 && *type < 64 ? bytes_of_nccl_type(static_cast<int>(*type)) : 0;
    c.bytes = size > 0 ? *elements * size : -1;
    c.ranks = ranks && *ranks > 0 && *ranks <= static_cast<long long>(kMostRanks) ? static_cast<int>(*ranks) : 0;
    count(log_.collectives, c);
    return true;
  }

  bool setting(std::string_view t) {
    const auto value = after(t, " set by environment to ");
    if (value.empty() || t.find("NCCL_") == std::string_view::npos) return false;
    const std::string_view name = word(t.substr(t.find("NCCL_")));
    std::string text(value.substr(0, value.find_last_not_of(". ") + 1));
    count(log_.settings, std::string(name) + "=" + text);
    return true;
  }

  bool topology(std::string_view t) {
    if (const auto type = word_after(t, "type"); type && t.find("nChannels") != std::string_view::npos) {
      count(log_.graph_types, std::string(*type));
      return true;
    }
    for (const std::string_view start : {"=== System",
                                         "CPU/",
                                         "GPU/",
                                         "NIC/",
                                         "PCI/",
                                         "NVS/",
                                         "+ ",
                                         "====",
                                         "Pattern ",
                                         "DMA-BUF",
                                         "Setting affinity",
                                         "P2P Chunksize",
                                         "comm ",
                                         "cudaDriverVersion",
                                         "CUDA driver",
                                         "ncclCommInit",
                                         "Using non-device net",
                                         "NVLS ",
                                         "[Proxy",
                                         "New proxy",
                                         "Connection to proxy",
                                         "Plugin Path",
                                         "P2P plugin",
                                         "misc/",
                                         "NCCL git version",
                                         "Launch mode",
                                         "Comm config",
                                         "RAS client",
                                         "ncclTopoGet",
                                         "NCCL_",
                                         "Memory",
                                         "MNNVL",
                                         "Check P2P"})
      if (t.starts_with(start)) return true;
    return false;
  }

  // "transport/net.cc:753 -> 6 [Proxy]"
  bool failure(std::string_view t) {
    const auto arrow = t.find(" -> ");
    const auto dot = t.find(".cc:");
    if (arrow == std::string_view::npos || dot == std::string_view::npos || dot > arrow) return false;
    const std::string_view code = t.substr(arrow + 4);
    if (!starts_with_digit(code)) return false;
    count(log_.failures, std::string(t.substr(0, arrow + 4)) + std::string(word(code)));
    return true;
  }

  // The first two words without numbers.
  static std::string kind_of(std::string_view t) {
    std::string out;
    for (int words = 0; words < 2 && !t.empty(); ++words) {
      const std::string_view w = word(t);
      if (!starts_with_digit(w) && !w.starts_with("0x")) out += (out.empty() ? "" : " ") + std::string(w.substr(0, 40));
      t.remove_prefix(std::min(w.size() + 1, t.size()));
    }
    return out;
  }

  void add_notes() {
    if (torn_ > 0)
      log_.notes.push_back("torn lines of communicators: " + std::to_string(torn_) +
                           ", completions whose rank is lost: " + std::to_string(lost_completions_));
    for (const NcclCommunicator& c : log_.communicators) {
      const auto missing = c.size - static_cast<int>(c.ranks.size());
      const auto waiting =
          std::count_if(c.ranks.begin(), c.ranks.end(), [](const auto& r) { return !r.second.complete; });
      const std::string name = "communicator " + (c.id.empty() ? "of " + std::to_string(c.size) + " ranks" : c.id);
      if (missing > 0)
        log_.notes.push_back(name + ": " + std::to_string(missing) + " of " + std::to_string(c.size) +
                             " ranks say nothing");
      if (waiting > 0)
        log_.notes.push_back(name + ": not seen to be complete: " + std::to_string(waiting) + " of " +
                             std::to_string(c.size) + " ranks");
    }
    if (log_.hosts.size() > 1 && log_.networks == std::set<std::string>{"Socket"})
      log_.notes.emplace_back("several hosts over plain sockets: no InfiniBand, RoCE or plugin is in use");
    if (log_.gdr_disabled > 0)
      log_.notes.push_back("GPU Direct RDMA is off on " + std::to_string(log_.gdr_disabled) + " lines");
  }

  NcclLog log_;
  std::map<std::string, NcclCommunicator> communicators_;
  std::size_t ranks_seen_ = 0;
  std::int64_t torn_ = 0, lost_completions_ = 0;
};

Error no_lines(const std::string& file) {
  Error error = input_error("has no line of NCCL", file);
  error.details = {"lines look like \"host:pid:tid [0] NCCL INFO ...\""};
  error.fixes = {"NCCL_DEBUG=INFO"};
  return error;
}

Result<NcclLog> checked(NcclLog log) {
  if (log.nccl_lines == 0) return no_lines(log.file);
  return log;
}

template <std::size_t N>
std::string named(std::string_view name, const std::array<std::string_view, N>& names) {
  int index = -1;
  if (starts_with_digit(name)) std::from_chars(name.data(), name.data() + name.size(), index);
  if (index >= 0 && index < static_cast<int>(N)) return std::string(names[static_cast<std::size_t>(index)]);
  for (const std::string_view known : names)
    if (std::equal(name.begin(), name.end(), known.begin(), known.end(), [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
        }))
      return std::string(known);
  return std::string(name);
}

}  // namespace

int NcclLog::ranks_complete() const {
  if (communicators.empty()) return 0;
  const auto& ranks = communicators.front().ranks;
  return static_cast<int>(std::count_if(ranks.begin(), ranks.end(), [](const auto& r) { return r.second.complete; }));
}

std::string nccl_algorithm(std::string_view name) {
  constexpr std::array<std::string_view, 7> names = {"Tree",     "Ring", "CollNetDirect", "CollNetChain", "NVLS",
                                                     "NVLSTree", "PAT"};
  return named(name, names);
}

std::string nccl_protocol(std::string_view name) {
  constexpr std::array<std::string_view, 3> names = {"LL", "LL128", "Simple"};
  return named(name, names);
}

int bytes_of_nccl_type(int type) {
  constexpr std::array bytes = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
  return type < 0 || type >= static_cast<int>(bytes.size()) ? 0 : bytes[static_cast<std::size_t>(type)];
}

bool looks_like_nccl_log(std::string_view text) {
  constexpr std::size_t head = 4u << 20;
  const std::string_view begin = text.substr(0, head);
  for (const char* marker : {"NCCL INFO ", "NCCL WARN ", "NCCL TRACE ", "RCCL INFO "})
    if (begin.find(marker) != std::string_view::npos) return true;
  return false;
}

Result<NcclLog> parse_nccl_log(std::string_view text, const std::string& file) {
  LogReader reader(file);
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    reader.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return checked(reader.finish());
}

Result<NcclLog> read_nccl_log(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return input_error("cannot be opened", path);
  LogReader reader(path);
  std::string pending, piece(1u << 20, '\0');
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0) {
    std::string_view text(piece.data(), static_cast<std::size_t>(in.gcount()));
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      reader.line(pending.append(text.substr(0, end)));
      pending.clear();
      text.remove_prefix(end + 1);
    }
    if (pending.size() < kLongestLine) pending.append(text);
  }
  if (!pending.empty()) reader.line(pending);
  return checked(reader.finish());
}

}  // namespace tpsim
