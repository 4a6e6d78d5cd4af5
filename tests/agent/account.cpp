// SPDX-License-Identifier: Apache-2.0
#include "agent/account.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace sluice::test {
namespace {

constexpr const char* topic = "promised";

}  // namespace

Account::Account(const AgentProcess& agent, Historian& historian)
    : agent_(agent), historian_(historian), report_(agent.directory().write("promised", "")) {
  historian.keep_payloads_of(topic);
}

std::string Account::promising_input(double rate) const {
  return "[[input]]\nplugin = \"acknowledged\"\nname = \"promising\"\ntopic = \"" + std::string(topic) +
         "\"\nreport = \"" + report_ + "\"\nrate = " + std::to_string(rate) + "\n";
}

nlohmann::json Account::verified() const {
  const nlohmann::json document = agent_.document({"buffer", "verify"});
  if (!document["differences"].empty() || !document["ledger"]["balanced"].get<bool>()) {
    throw std::runtime_error(document.dump(2) + agent_.log());
  }
  return document["ledger"];
}

void Account::look_at_the_queue() {
  const auto committed = verified()["committed"].get<std::uint64_t>();
  if (committed < committed_) {
    throw std::runtime_error(std::to_string(committed) + " committed, and it had been " +
                             std::to_string(committed_));
  }
  committed_ = committed;
  const Finished lines = agent_.command({"buffer", "export"});
  if (lines.status != 0) throw std::runtime_error(lines.output);
  std::istringstream in(lines.output);
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json message = nlohmann::json::parse(line, nullptr, false);
    if (message.is_object() && message.contains("id")) kept_.insert(message["id"].get<std::string>());
  }
}

Account::Balance Account::balance() {
  const nlohmann::json ledger = verified();
  Balance balance;
  balance.committed = ledger["committed"].get<std::uint64_t>();
  balance.counted_away =
      balance.committed - ledger["acknowledged"].get<std::uint64_t>() - ledger["stored"].get<std::uint64_t>();
  historian_.read();
  balance.delivered = historian_.ids().size();
  balance.duplicated = historian_.arrived() - balance.delivered;

  // What nobody has counted away must be there: all that was found in a queue, all that was promised, and as many as were
  // committed; more may be, that were acknowledged before they were written.
  const auto missing = static_cast<std::uint64_t>(std::count_if(
      kept_.begin(), kept_.end(), [&](const std::string& id) { return historian_.ids().count(id) == 0; }));
  std::set<std::string> arrived;
  for (const std::string& payload : historian_.payloads()) {
    const auto message = nlohmann::json::parse(payload);
    arrived.insert(message["run"].get<std::string>() + " " +
                   std::to_string(message["number"].get<std::uint64_t>()));
  }
  std::uint64_t broken = 0;
  std::istringstream in(read_file(report_));
  for (std::string line; std::getline(in, line) && !in.eof(); ++balance.promised) {
    if (arrived.count(line) == 0) ++broken;
  }
  const std::uint64_t fewer =
      balance.committed > balance.delivered ? balance.committed - balance.delivered : 0;
  const std::uint64_t most = std::max({missing, broken, fewer});
  balance.lost = most > balance.counted_away ? most - balance.counted_away : 0;
  balance.found = kept_.size();
  return balance;
}

std::ostream& operator<<(std::ostream& out, const Account::Balance& balance) {
  return out << "committed " << balance.committed << ", delivered " << balance.delivered << ", duplicated "
             << balance.duplicated << ", counted away " << balance.counted_away << ", lost " << balance.lost
             << " (" << balance.promised << " promised one by one, " << balance.found
             << " found in a queue after a kill)";
}

}  // namespace sluice::test
