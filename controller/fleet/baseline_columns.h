// Verdicts of all hosts under one baseline, in columns.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "controller/fleet/bitmap.h"
#include "controller/store/fleet_store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/report.pb.h"
#include "plimsoll/v1/verdict.pb.h"

namespace plimsoll::fleet {

inline constexpr int kStatusCount = 5;
inline constexpr int kSeverityCount = 6;

// Verdicts by v1.Verdict.Status and, at kWaivedCount, those of FAIL that are waived.
inline constexpr int kWaivedCount = kStatusCount;
inline constexpr int kCountCount = kStatusCount + 1;
using Counts = std::array<int64_t, kCountCount>;

// Scored verdicts of one host.
struct Score {
  // As Counts.
  std::array<uint16_t, kCountCount> by_status = {};
  // FAIL by v1.Severity, as the host's own document has it, and those of them that are waived.
  std::array<uint16_t, kSeverityCount> failing = {};
  std::array<uint16_t, kSeverityCount> waived = {};
};

// Containers of one configuration on one host.
struct ConfigurationUse {
  // Number for BaselineColumns::configuration.
  uint32_t configuration = 0;
  uint32_t containers = 0;
};

// What containers are told apart by.
struct Configuration {
  uint64_t fingerprint = 0;
  // Places of the rules they fail in the active document, ascending.
  std::vector<uint16_t> rules;
  // Hosts that use it; 0: this number is free.
  uint32_t uses = 0;
};

// Each rule is four bit planes over slots: the bits of v1.Verdict.Status, and whether it is waived.
// A host without a report has none set, as has UNKNOWN: reported() tells them apart. Beside them a
// row for each host, to find what changed without touching the planes. Not thread-safe while it
// changes.
class BaselineColumns {
 public:
  // Verdicts are kept by the rules of `document`, the active one of its id. Borrows.
  explicit BaselineColumns(const v1::Baseline& document);

  // Makes room for slots below `words` * 64.
  void Resize(size_t words);
  // From now on hosts judged under this other document of the same id are shown by its rules' ids;
  // rules it does not have are UNKNOWN.
  void AddDocument(const v1::Baseline& other);
  bool Knows(const std::string& digest) const;
  // Takes over a host's verdicts; null, or under a document not known: no report. Statuses not
  // known are UNKNOWN.
  void Set(Slot slot, const store::HostVerdicts* verdicts);

  const v1::Baseline& document() const { return document_; }
  size_t rule_count() const { return scored_.size(); }
  // Whether the rule counts: scored, and no alias.
  bool scored(size_t rule) const { return scored_[rule]; }
  const Bitmap& reported() const { return reported_; }

  // --- One host, which has a report.

  v1::Verdict::Status status(Slot slot, size_t rule) const {
    return static_cast<v1::Verdict::Status>(PlanesOf(rows_[slot].cells[rule]) & 7);
  }
  bool waived(Slot slot, size_t rule) const { return (rows_[slot].cells[rule] & 7) == kWaivedFail; }
  // Microseconds since 1970; 0: not known.
  int64_t since(Slot slot, size_t rule) const;
  const Score& score(Slot slot) const { return scores_[slot]; }
  absl::Span<const ConfigurationUse> failing(Slot slot) const { return rows_[slot].failing; }
  const Configuration& configuration(uint32_t number) const { return configurations_[number]; }
  // Numbers are below this.
  size_t configuration_limit() const { return configurations_.size(); }

  // --- All hosts.

  // Verdicts of one rule among these hosts, `hosts` of them, all of which have a report.
  Counts Count(size_t rule, const Bitmap& among, int64_t hosts) const;
  // Leaves in `among` the hosts that have a report in which the rule has one of these statuses
  // (bit 1 << status).
  void Filter(size_t rule, uint32_t statuses, Bitmap& among) const;

 private:
  static constexpr int kPlanes = 4;
  // In place of FAIL in a cell.
  static constexpr int kWaivedFail = 5;
  // The bits of a cell's planes.
  static int PlanesOf(char cell) {
    const int code = cell & 7;
    return code == kWaivedFail ? v1::Verdict::FAIL | 8 : code;
  }
  static char CodeOf(char stored);
  struct Row {
    // For each rule its status, or kWaivedFail, and, three bits up, the place of its time in
    // `times`. Empty: no report.
    std::string cells;
    // Times that differ; one for each rule when there are more than 31 that differ.
    std::vector<int64_t> times;
    std::vector<ConfigurationUse> failing;
  };
  // Between the rules of the active document and another's; -1: it is not there.
  struct Mapping {
    // Place in the other of each active rule, and the other way round.
    std::vector<int> from;
    std::vector<int> to;
    // v1.Severity of each active rule in the other; that of the active document where it has none.
    std::vector<uint8_t> severities;
  };

  void SetCells(Slot slot, const store::HostVerdicts& verdicts, const Mapping& mapping);
  void SetFailing(Row& row, const v1::FailingContainers& failing, const Mapping& mapping);
  void Clear(Slot slot);
  void Release(const Row& row);
  uint32_t Intern(uint64_t fingerprint, std::vector<uint16_t> rules);
  void Flip(size_t rule, Slot slot, int difference);

  const v1::Baseline& document_;
  std::vector<bool> scored_;
  // By digest, the active document's too.
  absl::flat_hash_map<std::string, Mapping> mappings_;
  Bitmap reported_;
  // Of each rule.
  std::vector<std::array<Bitmap, kPlanes>> planes_;
  // Hosts on which each rule is waived: mostly none, and the plane need not be read.
  std::vector<int32_t> waived_hosts_;
  std::vector<Row> rows_;
  std::vector<Score> scores_;
  std::vector<Configuration> configurations_;
  std::vector<uint32_t> free_;
  // Fingerprint and rules to number.
  absl::flat_hash_map<std::pair<uint64_t, std::vector<uint16_t>>, uint32_t> numbers_;
};

// Adds to what is counted.
void AddTo(const Counts& counts, v1::StatusCounts& to);
void AddTo(const Score& score, v1::StatusCounts& to);

}  // namespace plimsoll::fleet
