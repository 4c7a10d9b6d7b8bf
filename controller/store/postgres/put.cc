// ReportStore: storing batches of evaluations and re-evaluations.
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/report_rows.h"
#include "controller/store/postgres/report_state.h"
#include "controller/store/postgres/scan_answers.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {
namespace {

// Everybody who locks several hosts does so in this order.
constexpr Statement kLockHosts = {
    "put_lock_hosts",
    "SELECT id, sequence, facts_digest, micros(observed), session_epoch, revoked IS NOT NULL,"
    " removed IS NOT NULL, quarantined IS NOT NULL, chain, micros(full_recorded)"
    " FROM host WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE"};
constexpr Statement kAddSnapshots = {
    "put_add_snapshots",
    "INSERT INTO facts_snapshot (host_id, observed, recorded, sequence, is_full, gap_count,"
    " gap_begin, gap_end, digest, content)"
    " SELECT host_id, observed, recorded, sequence, is_full, NULLIF(gap_count, -1),"
    " NULLIF(gap_begin, '')::timestamptz, NULLIF(gap_end, '')::timestamptz,"
    " substring($9::bytea FROM d_begin FOR d_size), substring($12::bytea FROM c_begin FOR c_size)"
    " FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::boolean[],"
    " $6::bigint[], $7::text[], $8::text[], $10::integer[], $11::integer[], $13::integer[],"
    " $14::integer[]) AS s(host_id, observed, recorded, sequence, is_full, gap_count, gap_begin,"
    " gap_end, d_begin, d_size, c_begin, c_size)"};
constexpr Statement kUpdateHosts = {
    "put_update_hosts",
    "UPDATE host SET sequence = u.sequence, observed = u.observed,"
    " facts_digest = substring($9::bytea FROM u.d_begin FOR u.d_size),"
    " last_seen = greatest(last_seen, u.recorded), engine_version = u.engine_version,"
    " operating_system = u.operating_system, container_count = u.container_count,"
    " full_recorded = CASE WHEN u.is_full THEN u.recorded ELSE full_recorded END,"
    " full_sequence = CASE WHEN u.is_full THEN u.sequence ELSE full_sequence END,"
    " chain = CASE WHEN u.is_full THEN 0 ELSE chain + 1 END, changed = pg_current_xact_id()"
    " FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::boolean[],"
    " $6::text[], $7::text[], $8::integer[], $10::integer[], $11::integer[]) AS u(id, observed,"
    " recorded, sequence, is_full, engine_version, operating_system, container_count, d_begin,"
    " d_size) WHERE host.id = u.id"};
constexpr Statement kSeen = {
    "put_seen", "UPDATE host SET last_seen = greatest(last_seen, $2::timestamptz) WHERE id = $1"};
constexpr Statement kChanged = {
    "put_changed", "UPDATE host SET changed = pg_current_xact_id() WHERE id = ANY($1::text[])"};

// What collides with another transaction is tried again.
constexpr int kConfirmAttempts = 3;

struct LockedHost {
  uint64_t sequence = 0;
  std::string facts_digest;
  absl::Time observed;
  int64_t session_epoch = 0;
  bool revoked = false;
  bool removed = false;
  bool quarantined = false;
  int chain = 0;
  absl::Time full_recorded;
};
using LockedHosts = absl::flat_hash_map<std::string, LockedHost>;

LockedHosts LockHosts(Transaction& tx, const std::vector<std::string>& host_ids) {
  LockedHosts hosts;
  for (const pqxx::row& row : tx.Exec(kLockHosts, TextArray(host_ids))) {
    LockedHost& host = hosts[TextOf(row[0])];
    host.sequence = row[1].as<uint64_t>();
    host.facts_digest = BytesOf(row[2]);
    host.observed = TimeOf(row[3]);
    host.session_epoch = row[4].as<int64_t>();
    host.revoked = row[5].as<bool>();
    host.removed = row[6].as<bool>();
    host.quarantined = row[7].as<bool>();
    host.chain = row[8].as<int>();
    host.full_recorded = TimeOf(row[9]);
  }
  return hosts;
}

absl::Status NoSuchHost(const std::string& host_id) {
  return absl::NotFoundError(absl::StrCat("no host \"", Text(host_id, 256), "\""));
}

absl::Status Validate(const Evaluation& evaluation) {
  if (evaluation.facts_digest.size() != 32) {
    return absl::InvalidArgumentError("an evaluation needs a facts digest of 32 bytes");
  }
  if (evaluation.sequence > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("sequence is beyond 2^63 - 1");
  }
  return absl::OkStatus();
}

// Whether the host is believed, and this session may write for it. 0: not checked.
absl::Status Admit(const std::string& host_id, int64_t session_epoch, const LockedHost& host) {
  if (host.removed || host.revoked) {
    return absl::PermissionDeniedError(
        absl::StrCat("host ", host_id, " is ", host.removed ? "removed" : "revoked"));
  }
  // Took the lease away; who comes again is told why.
  if (host.quarantined)
    return absl::AbortedError(absl::StrCat("host ", host_id, " is quarantined"));
  if (session_epoch != 0 && session_epoch != host.session_epoch) {
    return absl::AbortedError(
        absl::StrCat("another session of host ", host_id, " has begun since"));
  }
  return absl::OkStatus();
}

// Whether the delta can be stored as one.
absl::Status CheckChain(const Evaluation& evaluation, const LockedHost& host) {
  if (evaluation.is_full) return absl::OkStatus();
  const bool follows = host.full_recorded != absl::InfinitePast() && host.chain < kMaximumChain &&
                       MonthOf(host.full_recorded) == MonthOf(evaluation.recorded);
  if (follows) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the facts of host ", evaluation.host_id, " are due to be stored complete"));
}

JudgedFacts StoredFactsOf(const std::string& host_id, const LockedHost& host) {
  JudgedFacts facts;
  facts.host_id = host_id;
  facts.sequence = host.sequence;
  facts.facts_digest = host.facts_digest;
  facts.observed = host.observed;
  return facts;
}

JudgedFacts NewFactsOf(const Evaluation& evaluation, const LockedHost& host) {
  JudgedFacts facts;
  facts.host_id = evaluation.host_id;
  facts.sequence = evaluation.sequence;
  facts.facts_digest = evaluation.facts_digest;
  facts.observed = evaluation.observed;
  facts.recorded = evaluation.recorded;
  facts.policy_key = evaluation.policy_key;
  facts.cause = evaluation.facts_digest == host.facts_digest ? v1::Transition::BASELINE
                                                             : v1::Transition::FACTS;
  if (evaluation.gap.has_value()) facts.gap_begin = TimeOf(evaluation.gap->begin_time());
  return facts;
}

// Facts of the accepted evaluations as columns of facts_snapshot and host.
class FactsRows {
 public:
  void Note(const Evaluation& evaluation) {
    hosts_.push_back(evaluation.host_id);
    observed_.push_back(Time(evaluation.observed));
    recorded_.push_back(Time(evaluation.recorded));
    sequences_.push_back(static_cast<int64_t>(evaluation.sequence));
    full_.push_back(evaluation.is_full ? 1 : 0);
    const bool gap = evaluation.gap.has_value();
    gap_counts_.push_back(gap ? std::max<int64_t>(evaluation.gap->dropped_count(), 0) : -1);
    gap_begins_.push_back(gap ? Time(TimeOf(evaluation.gap->begin_time())) : "");
    gap_ends_.push_back(gap ? Time(TimeOf(evaluation.gap->end_time())) : "");
    engines_.push_back(Text(evaluation.engine_version, 255));
    systems_.push_back(Text(evaluation.operating_system, 255));
    containers_.push_back(evaluation.container_count);
    digests_.Add(evaluation.facts_digest);
    contents_.Add(evaluation.content);
  }
  const std::vector<std::string>& hosts() const { return hosts_; }

  void Write(Transaction& tx) const {
    if (hosts_.empty()) return;
    const std::string hosts = TextArray(hosts_), observed = TextArray(observed_),
                      recorded = TextArray(recorded_), sequences = IntArray(sequences_),
                      full = IntArray(full_);
    tx.Exec(kAddSnapshots, hosts, observed, recorded, sequences, full, IntArray(gap_counts_),
            TextArray(gap_begins_), TextArray(gap_ends_), digests_.all(), digests_.begins(),
            digests_.sizes(), contents_.all(), contents_.begins(), contents_.sizes());
    tx.Exec(kUpdateHosts, hosts, observed, recorded, sequences, full, TextArray(engines_),
            TextArray(systems_), IntArray(containers_), digests_.all(), digests_.begins(),
            digests_.sizes());
  }

 private:
  std::vector<std::string> hosts_, observed_, recorded_, gap_begins_, gap_ends_, engines_, systems_;
  std::vector<int64_t> sequences_, full_, gap_counts_, containers_;
  BytesColumn digests_, contents_;
};

// One batch inside its transaction: statuses_ has an entry for each evaluation, and those that are
// OK when it begins are looked at.
class Batch {
 public:
  Batch(Transaction& tx, BaselineCatalog& catalog, const std::vector<const Evaluation*>& batch,
        std::vector<absl::Status> statuses)
      : tx_(tx),
        batch_(batch),
        statuses_(std::move(statuses)),
        reports_(tx, catalog),
        answers_(tx, catalog) {}

  std::vector<absl::Status> Run() {
    tx_.PlanByIndex();
    const LockedHosts hosts = Lock();
    ReadReports(hosts);
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (!statuses_[i].ok()) continue;
      const Evaluation& evaluation = *batch_[i];
      const LockedHost& host = hosts.at(evaluation.host_id);
      statuses_[i] = evaluation.sequence <= host.sequence ? Repeat(evaluation, host)
                                                          : Accept(evaluation, host);
    }
    facts_.Write(tx_);
    reports_.Write();
    answers_.Write();
    AnnounceHosts(tx_, facts_.hosts());
    return std::move(statuses_);
  }

 private:
  LockedHosts Lock() {
    std::vector<std::string> ids;
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (statuses_[i].ok()) ids.push_back(batch_[i]->host_id);
    }
    LockedHosts hosts;
    if (!ids.empty()) hosts = LockHosts(tx_, ids);
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (!statuses_[i].ok()) continue;
      const auto host = hosts.find(batch_[i]->host_id);
      statuses_[i] = host == hosts.end()
                         ? NoSuchHost(batch_[i]->host_id)
                         : Admit(batch_[i]->host_id, batch_[i]->session_epoch, host->second);
      if (statuses_[i].ok() && batch_[i]->sequence > host->second.sequence) {
        statuses_[i] = CheckChain(*batch_[i], host->second);
      }
    }
    return hosts;
  }

  void ReadReports(const LockedHosts& hosts) {
    std::vector<std::string> ids;
    for (size_t i = 0; i < batch_.size(); ++i) {
      if (!statuses_[i].ok()) continue;
      const bool repeated = batch_[i]->sequence <= hosts.at(batch_[i]->host_id).sequence;
      if (!repeated || !batch_[i]->scan_ids.empty()) ids.push_back(batch_[i]->host_id);
    }
    reports_.Read(ids);
  }

  // The sequence is stored: its scans are answered with the facts that are there.
  absl::Status Repeat(const Evaluation& evaluation, const LockedHost& host) {
    return answers_.Note(StoredFactsOf(evaluation.host_id, host), evaluation.scan_ids,
                         reports_.Of(evaluation.host_id));
  }

  absl::Status Accept(const Evaluation& evaluation, const LockedHost& host) {
    const JudgedFacts facts = NewFactsOf(evaluation, host);
    const absl::StatusOr<bool> changed = reports_.Judge(facts, evaluation.judgements);
    if (!changed.ok()) return changed.status();
    facts_.Note(evaluation);
    return answers_.Note(facts, evaluation.scan_ids, reports_.Of(evaluation.host_id));
  }

  Transaction& tx_;
  const std::vector<const Evaluation*>& batch_;
  std::vector<absl::Status> statuses_;
  ReportRows reports_;
  ScanAnswers answers_;
  FactsRows facts_;
};

}  // namespace

absl::StatusOr<std::vector<absl::Status>> ReportStore::PutBatch(
    const std::vector<const Evaluation*>& batch) {
  std::vector<absl::Status> valid;
  std::set<std::string> hosts;
  std::set<absl::CivilMonth> months;
  for (const Evaluation* evaluation : batch) {
    absl::Status& status = valid.emplace_back(Validate(*evaluation));
    if (!status.ok()) continue;
    if (!hosts.insert(evaluation->host_id).second) {
      status = absl::InvalidArgumentError("a batch has two evaluations of one host");
      continue;
    }
    if (!months.insert(MonthOf(evaluation->recorded)).second) continue;
    if (auto room = state_->months.Ensure(pool_, evaluation->recorded); !room.ok()) return room;
  }
  auto done = pool_.Transact("store evaluations",
                             [&](Transaction& tx) -> absl::StatusOr<std::vector<absl::Status>> {
                               return Batch(tx, state_->catalog, batch, valid).Run();
                             });
  if (!done.ok()) state_->months.Forget();
  return done;
}

absl::Status ReportStore::Put(const Evaluation& evaluation) {
  absl::StatusOr<std::vector<absl::Status>> done = PutBatch({&evaluation});
  return done.ok() ? done->front() : done.status();
}

absl::StatusOr<std::vector<bool>> ReportStore::PutReevaluations(
    const std::vector<Reevaluation>& batch, absl::Time recorded) {
  if (auto room = state_->months.Ensure(pool_, recorded); !room.ok()) return room;
  auto done = pool_.Transact(
      "store re-evaluations", [&](Transaction& tx) -> absl::StatusOr<std::vector<bool>> {
        tx.PlanByIndex();
        std::vector<std::string> ids;
        for (const Reevaluation& reevaluation : batch) ids.push_back(reevaluation.host_id);
        const LockedHosts hosts = LockHosts(tx, ids);
        ReportRows rows(tx, state_->catalog);
        rows.Read(ids);
        std::vector<bool> stored;
        std::vector<std::string> changed;
        for (const Reevaluation& reevaluation : batch) {
          const auto host = hosts.find(reevaluation.host_id);
          stored.push_back(host != hosts.end() && !host->second.removed &&
                           host->second.sequence == reevaluation.sequence);
          if (!stored.back()) continue;
          JudgedFacts facts = StoredFactsOf(reevaluation.host_id, host->second);
          facts.recorded = recorded;
          facts.cause = v1::Transition::BASELINE;
          facts.policy_key = reevaluation.policy_key;
          const absl::StatusOr<bool> differs = rows.Judge(facts, reevaluation.judgements);
          if (!differs.ok()) return differs.status();
          if (*differs) changed.push_back(reevaluation.host_id);
        }
        rows.Write();
        if (!changed.empty()) tx.Exec(kChanged, TextArray(changed));
        AnnounceHosts(tx, changed);
        return stored;
      });
  if (!done.ok()) state_->months.Forget();
  return done;
}

absl::Status ReportStore::Confirm(const std::string& host_id,
                                  const std::vector<std::string>& scan_ids, absl::Time time,
                                  int64_t session_epoch, const std::string& facts_digest) {
  const auto confirm = [&](Transaction& tx) -> absl::Status {
    tx.PlanByIndex();
    const LockedHosts hosts = LockHosts(tx, {host_id});
    if (hosts.empty()) return NoSuchHost(host_id);
    const LockedHost& host = hosts.begin()->second;
    if (auto status = Admit(host_id, session_epoch, host); !status.ok()) return status;
    if (host.facts_digest.empty() || (!facts_digest.empty() && facts_digest != host.facts_digest)) {
      return absl::FailedPreconditionError(
          absl::StrCat("host ", host_id, " does not have these facts to answer a scan with"));
    }
    tx.Exec(kSeen, host_id, Time(time));
    ReportRows rows(tx, state_->catalog);
    rows.Read({host_id});
    ScanAnswers answers(tx, state_->catalog);
    absl::Status noted = answers.Note(StoredFactsOf(host_id, host), scan_ids, rows.Of(host_id));
    if (noted.ok()) answers.Write();
    return noted;
  };
  absl::Status status;
  for (int attempt = 0; attempt < kConfirmAttempts; ++attempt) {
    status = pool_.Transact("confirm facts", confirm);
    if (!absl::IsAborted(status)) break;
  }
  return status;
}

}  // namespace plimsoll::store
