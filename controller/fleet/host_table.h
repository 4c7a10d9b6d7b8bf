// What lists show of hosts, by slot, and hosts in order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "controller/fleet/bitmap.h"
#include "controller/fleet/interner.h"
#include "controller/fleet/label_table.h"
#include "controller/store/fleet_store.h"
#include "plimsoll/v1/host_service.pb.h"

namespace plimsoll::fleet {

// "No such time", in microseconds since 1970.
inline constexpr int64_t kNever = INT64_MIN;

// Rows of hosts: about 200 bytes each. Not thread-safe while it changes.
class HostTable {
 public:
  HostTable();
  HostTable(const HostTable&) = delete;

  // Takes over all that `state` says but verdicts; a host that is not known gets a slot. Slots are
  // below words() * 64, which may have grown.
  Slot Set(const store::HostState& state);
  void Remove(Slot slot);

  // --- One host.

  std::string_view id(Slot slot) const { return Text(slot).substr(0, rows_[slot].id_size); }
  std::string_view hostname(Slot slot) const {
    return Text(slot).substr(rows_[slot].id_size, rows_[slot].hostname_size);
  }
  int64_t ordinal(Slot slot) const { return rows_[slot].ordinal; }
  // Microseconds since 1970 on the host's clock; kNever: no facts yet.
  int64_t observed(Slot slot) const { return rows_[slot].observed; }
  std::map<std::string, std::string> LabelsOf(Slot slot) const;
  int32_t container_count(Slot slot) const { return container_counts_[slot]; }
  v1::Host::Connection connection(Slot slot) const {
    return static_cast<v1::Host::Connection>(rows_[slot].connection);
  }
  // When something was last heard of the host or, never heard of, when it was enrolled.
  int64_t heard(Slot slot) const { return heard_[slot]; }
  // Heard of later than known; an earlier time changes nothing.
  void Hear(Slot slot, int64_t time);
  // As the API shows it, but for counts and stale.
  v1::Host Describe(Slot slot) const;

  // --- All hosts.

  size_t words() const { return present_.words(); }
  // Slots in use.
  const Bitmap& present() const { return present_; }
  const Bitmap& revoked() const { return revoked_; }
  const Bitmap& quarantined() const { return quarantined_; }
  const LabelTable& labels() const { return labels_; }
  // The slot of an id, if there is one.
  bool Find(std::string_view id, Slot& slot) const;
  // Slots of all hosts with this name, by id.
  std::vector<Slot> FindName(std::string_view hostname) const;

  // Calls `visit(slot)` for hosts after (hostname, id), in that order, until it returns false.
  template <class Visit>
  void VisitByName(std::string_view hostname, std::string_view id, Visit visit) const {
    for (auto it = by_name_.upper_bound(Name{hostname, id}); it != by_name_.end(); ++it) {
      if (!visit(*it)) return;
    }
  }
  // Calls `visit(slot)` for hosts from `id` on, in the order of ids, until it returns false.
  template <class Visit>
  void VisitById(std::string_view id, Visit visit) const {
    for (auto it = by_id_.lower_bound(id); it != by_id_.end(); ++it) {
      if (!visit(*it)) return;
    }
  }

 private:
  // Host.central_labels and label_managers.
  struct Central {
    std::map<std::string, std::string> labels;
    std::map<std::string, std::string> managers;
  };
  // Times are microseconds since 1970, kNever when absent.
  struct Row {
    // Id, hostname and boot id, one behind the other.
    std::string text;
    uint16_t id_size = 0;
    uint16_t hostname_size = 0;
    uint8_t connection = 0;
    // False: `heard` is when it was enrolled.
    bool seen = false;
    // Numbers in texts_.
    uint32_t collector_version = 0;
    uint32_t engine_version = 0;
    uint32_t operating_system = 0;
    uint32_t controller = 0;
    uint32_t quarantine_reason = 0;
    int64_t ordinal = 0;
    int64_t enrolled = kNever;
    int64_t observed = kNever;
    int64_t clock_skew = 0;
    int64_t quarantined = kNever;
    std::vector<LabelTable::LabelId> labels;
    // Null: the host has none.
    std::unique_ptr<Central> central;
  };
  struct Name {
    std::string_view hostname;
    std::string_view id;
  };
  // Orders of slots by what their rows say.
  struct IdLess {
    using is_transparent = void;
    const HostTable* table;
    bool operator()(Slot a, Slot b) const { return table->id(a) < table->id(b); }
    bool operator()(Slot a, std::string_view b) const { return table->id(a) < b; }
    bool operator()(std::string_view a, Slot b) const { return a < table->id(b); }
  };
  struct NameLess {
    using is_transparent = void;
    const HostTable* table;
    Name Of(Slot slot) const { return {table->hostname(slot), table->id(slot)}; }
    static bool Less(const Name& a, const Name& b) {
      const int order = a.hostname.compare(b.hostname);
      return order != 0 ? order < 0 : a.id < b.id;
    }
    bool operator()(Slot a, Slot b) const { return Less(Of(a), Of(b)); }
    bool operator()(Slot a, const Name& b) const { return Less(Of(a), b); }
    bool operator()(const Name& a, Slot b) const { return Less(a, Of(b)); }
  };

  std::string_view Text(Slot slot) const { return rows_[slot].text; }
  Slot NewSlot();
  void SetText(uint32_t& number, const std::string& text);
  void SetLabels(Slot slot, const v1::Host& host);

  std::vector<Row> rows_;
  // Beside the rows: ticks and summaries read these for every host.
  std::vector<int64_t> heard_;
  std::vector<int32_t> container_counts_;
  std::vector<Slot> free_;
  Bitmap present_;
  Bitmap revoked_;
  Bitmap quarantined_;
  Interner texts_;
  LabelTable labels_;
  absl::btree_set<Slot, IdLess> by_id_;
  absl::btree_set<Slot, NameLess> by_name_;
};

}  // namespace plimsoll::fleet
