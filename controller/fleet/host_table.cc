#include "controller/fleet/host_table.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace plimsoll::fleet {
namespace {

using google::protobuf::util::TimeUtil;

// The store keeps texts of at most this many bytes.
constexpr size_t kMaximumText = 1024;

int64_t MicrosOf(bool present, const google::protobuf::Timestamp& time) {
  return present ? TimeUtil::TimestampToMicroseconds(time) : kNever;
}

void SetTime(int64_t micros, google::protobuf::Timestamp* (v1::Host::*field)(), v1::Host& host) {
  if (micros != kNever) *(host.*field)() = TimeUtil::MicrosecondsToTimestamp(micros);
}

}  // namespace

HostTable::HostTable() : by_id_(IdLess{this}), by_name_(NameLess{this}) {}

Slot HostTable::NewSlot() {
  if (!free_.empty()) {
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
  }
  const Slot slot = static_cast<Slot>(rows_.size());
  if (slot / 64 >= words()) {
    // Doubling keeps growth linear in the number of hosts.
    const size_t words = std::max<size_t>(16, present_.words() * 2);
    present_.Resize(words);
    revoked_.Resize(words);
    quarantined_.Resize(words);
  }
  rows_.emplace_back();
  heard_.push_back(kNever);
  container_counts_.push_back(0);
  return slot;
}

void HostTable::SetText(uint32_t& number, const std::string& text) {
  if (texts_[number] == text) return;
  const uint32_t before = std::exchange(number, texts_.Add(text));
  texts_.Release(before);
}

void HostTable::SetLabels(Slot slot, const v1::Host& host) {
  Row& row = rows_[slot];
  const auto same = [&](LabelTable::LabelId label) {
    const auto it = host.labels().find(labels_.key(label));
    return it != host.labels().end() && it->second == labels_.value(label);
  };
  if (row.labels.size() == host.labels().size() &&
      std::all_of(row.labels.begin(), row.labels.end(), same)) {
    return;
  }
  std::vector<LabelTable::LabelId> labels;
  labels.reserve(host.labels().size());
  for (const LabelTable::LabelId label : row.labels) {
    if (!same(label)) labels_.Remove(slot, label);
  }
  for (const auto& [key, value] : host.labels()) labels.push_back(labels_.Add(slot, key, value));
  row.labels = std::move(labels);
}

Slot HostTable::Set(const store::HostState& state) {
  const v1::Host& host = state.host;
  const std::string id = host.id().substr(0, kMaximumText);
  const std::string hostname = host.hostname().substr(0, kMaximumText);
  Slot slot = 0;
  const bool known = Find(id, slot);
  const bool renamed = !known || this->hostname(slot) != hostname;
  if (!known) {
    slot = NewSlot();
    Row fresh;
    for (uint32_t* number : {&fresh.collector_version, &fresh.engine_version,
                             &fresh.operating_system, &fresh.controller, &fresh.quarantine_reason})
      *number = texts_.Add("");
    rows_[slot] = std::move(fresh);
    heard_[slot] = kNever;
    present_.Set(slot);
  } else if (renamed) {
    by_name_.erase(slot);
  }
  Row& row = rows_[slot];
  row.text = absl::StrCat(id, hostname, host.boot_id().substr(0, kMaximumText));
  row.id_size = static_cast<uint16_t>(id.size());
  row.hostname_size = static_cast<uint16_t>(hostname.size());
  if (!known) by_id_.insert(slot);
  if (renamed) by_name_.insert(slot);

  row.connection = static_cast<uint8_t>(host.connection());
  container_counts_[slot] = host.container_count();
  row.ordinal = state.ordinal;
  row.enrolled = MicrosOf(host.has_enroll_time(), host.enroll_time());
  row.observed = MicrosOf(host.has_observed_time(), host.observed_time());
  row.quarantined = MicrosOf(host.has_quarantine_time(), host.quarantine_time());
  row.clock_skew = TimeUtil::DurationToMicroseconds(host.clock_skew());
  SetText(row.collector_version, host.collector_version());
  SetText(row.engine_version, host.engine_version());
  SetText(row.operating_system, host.operating_system());
  SetText(row.controller, host.controller());
  SetText(row.quarantine_reason, host.quarantine_reason());
  SetLabels(slot, host);
  row.central.reset();
  if (!host.central_labels().empty()) {
    row.central = std::make_unique<Central>(
        Central{{host.central_labels().begin(), host.central_labels().end()},
                {host.label_managers().begin(), host.label_managers().end()}});
  }
  revoked_.Assign(slot, host.connection() == v1::Host::REVOKED);
  quarantined_.Assign(slot, host.connection() == v1::Host::QUARANTINED);
  if (host.has_last_seen_time()) {
    Hear(slot, MicrosOf(true, host.last_seen_time()));
  } else if (!row.seen) {
    heard_[slot] = row.enrolled;
  }
  return slot;
}

void HostTable::Hear(Slot slot, int64_t time) {
  Row& row = rows_[slot];
  heard_[slot] = row.seen ? std::max(heard_[slot], time) : time;
  row.seen = true;
}

void HostTable::Remove(Slot slot) {
  by_id_.erase(slot);
  by_name_.erase(slot);
  Row& row = rows_[slot];
  for (const LabelTable::LabelId label : row.labels) labels_.Remove(slot, label);
  for (const uint32_t number : {row.collector_version, row.engine_version, row.operating_system,
                                row.controller, row.quarantine_reason})
    texts_.Release(number);
  row = Row();
  present_.Clear(slot);
  revoked_.Clear(slot);
  quarantined_.Clear(slot);
  free_.push_back(slot);
}

bool HostTable::Find(std::string_view id, Slot& slot) const {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return false;
  slot = *it;
  return true;
}

std::vector<Slot> HostTable::FindName(std::string_view hostname) const {
  std::vector<Slot> slots;
  for (auto it = by_name_.lower_bound(Name{hostname, {}}); it != by_name_.end(); ++it) {
    if (this->hostname(*it) != hostname) break;
    slots.push_back(*it);
  }
  return slots;
}

std::map<std::string, std::string> HostTable::LabelsOf(Slot slot) const {
  std::map<std::string, std::string> labels;
  for (const LabelTable::LabelId label : rows_[slot].labels) {
    labels.emplace(labels_.key(label), labels_.value(label));
  }
  return labels;
}

v1::Host HostTable::Describe(Slot slot) const {
  const Row& row = rows_[slot];
  v1::Host host;
  host.set_id(std::string(id(slot)));
  host.set_hostname(std::string(hostname(slot)));
  host.set_boot_id(row.text.substr(row.id_size + row.hostname_size));
  for (const LabelTable::LabelId label : row.labels) {
    (*host.mutable_labels())[labels_.key(label)] = labels_.value(label);
  }
  if (row.central != nullptr) {
    host.mutable_central_labels()->insert(row.central->labels.begin(), row.central->labels.end());
    host.mutable_label_managers()->insert(row.central->managers.begin(),
                                          row.central->managers.end());
  }
  host.set_collector_version(texts_[row.collector_version]);
  host.set_engine_version(texts_[row.engine_version]);
  host.set_operating_system(texts_[row.operating_system]);
  host.set_controller(texts_[row.controller]);
  host.set_quarantine_reason(texts_[row.quarantine_reason]);
  host.set_connection(connection(slot));
  host.set_container_count(container_counts_[slot]);
  SetTime(row.enrolled, &v1::Host::mutable_enroll_time, host);
  SetTime(row.seen ? heard_[slot] : kNever, &v1::Host::mutable_last_seen_time, host);
  SetTime(row.observed, &v1::Host::mutable_observed_time, host);
  SetTime(row.quarantined, &v1::Host::mutable_quarantine_time, host);
  *host.mutable_clock_skew() = TimeUtil::MicrosecondsToDuration(row.clock_skew);
  return host;
}

}  // namespace plimsoll::fleet
