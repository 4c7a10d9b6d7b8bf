// The API's handlers over a real PostgreSQL, as the controller wires them.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "controller/access/authenticator.h"
#include "controller/api/activity.h"
#include "controller/api/api.h"
#include "controller/api/baseline_versions.h"
#include "controller/api/events.h"
#include "controller/api/host_labels.h"
#include "controller/api/identity.h"
#include "controller/api/methods.h"
#include "controller/api/schedules.h"
#include "controller/api/selectors.h"
#include "controller/api/tailorings.h"
#include "controller/api/waivers.h"
#include "controller/api/what_ifs.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/failing_containers.h"
#include "tests/controller/api/scan_parts.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/sample_facts.h"

namespace plimsoll::api {

// Four rules that are really judged: r1 LOW, r2 HIGH, r3 CRITICAL, r4 MEDIUM.
inline v1::Baseline ScoredBaseline(const std::string& id = "base") {
  v1::Baseline baseline = store::MakeBaseline(id);
  for (v1::Rule& rule : *baseline.mutable_rules()) rule.set_slug("slug-of-" + rule.id());
  baseline.mutable_rules(0)->mutable_check()->mutable_container_engine_socket_not_mounted();
  baseline.mutable_rules(1)->mutable_check()->mutable_container_not_privileged();
  auto& file = *baseline.mutable_rules(2)->mutable_check()->mutable_file_owner();
  file.set_path("/never/looked/at");
  file.set_owner("root");
  file.set_group("root");
  baseline.mutable_rules(3)->mutable_check()->mutable_container_memory_limited();
  baseline.set_digest(support::Sha256Hex(baseline.SerializeAsString()));
  return baseline;
}

// The same rules, with the ids of r2 and r4 changed: "slug-of-r4" has the id r2.
inline v1::Baseline RenumberedBaseline(const std::string& id = "renumbered") {
  v1::Baseline baseline = ScoredBaseline(id);
  baseline.mutable_rules(1)->set_id("r4");
  baseline.mutable_rules(3)->set_id("r2");
  baseline.set_digest(support::Sha256Hex(baseline.SerializeAsString()));
  return baseline;
}

// Facts of a host under ScoredBaseline: r1 PASS, r2 FAIL (containers a and b, of one
// configuration), r3 UNKNOWN (a path), r4 FAIL (container c).
inline v1::HostFacts JudgedFacts() {
  v1::HostFacts facts = testing::SampleHost(3, testing::Habit::kHardened);
  const char* names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; ++i) {
    v1::Container& container = *facts.mutable_containers()->mutable_containers(i);
    container.set_name(names[i]);
    if (i < 2) container.set_privileged(true);
    if (i == 2) container.clear_memory_limit_bytes();
  }
  return facts;
}

// Everything the handlers borrow, and the handlers. One database each. The clock stands at At(100).
struct Parts {
  explicit Parts(std::vector<v1::Baseline> with = {ScoredBaseline()})
      : url(testing::FreshDatabase()),
        store(*store::Store::Open({.url = url, .pool_size = 4})),
        clock(store::At(100)),
        baselines(std::move(with)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "api-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    dir = pattern;
    authority =
        *access::Authorities::Open(store->authorities(), NewBox(), dir + "/pki", clock, false);
    authority_api = std::make_unique<Authorities>(*authority);
    if (!store->reports().PutBaselines(baselines).ok() || !index.Load().ok()) std::abort();
    enrollment = std::make_unique<EnrollmentTokens>(*store, *authority, clock);
    AddHostMethods(methods, hosts);
    AddHostLabelMethods(methods, host_labels);
    AddBaselineMethods(methods, baseline_api);
    AddFindingMethods(methods, findings);
    AddSummaryMethods(methods, summaries);
    AddScanMethods(methods, scans);
    AddScheduleMethods(methods, schedules);
    AddEnrollmentMethods(methods, *enrollment, hosts);
    AddAuthorityMethods(methods, *authority_api);
    AddNotificationMethods(methods, notifications);
    AddEventMethods(methods, events);
    AddUserMethods(methods, users);
    AddSessionMethods(methods, sign_ins);
    AddOidcMethods(methods, oidc_sign_ins);
    AddTokenMethods(methods, tokens);
    AddActivityMethods(methods, activities);
    AddWaiverMethods(methods, waivers);
    AddTailoringMethods(methods, tailorings);
    AddSelectorMethods(methods, selectors);
    AddBaselineVersionMethods(methods, baseline_versions);
    AddWhatIfMethods(methods, what_ifs);
  }
  static access::SecretBox NewBox() {
    std::string file = (std::filesystem::temp_directory_path() / "api-key-XXXXXX").string();
    close(mkstemp(file.data()));
    std::filesystem::remove(file);
    access::SecretBox box = *access::SecretBox::LoadOrCreate(file);
    std::filesystem::remove(file);
    return box;
  }
  // Nothing leaves the test: every message is taken.
  struct Taker : notify::Sender {
    absl::Status Send(const v1::NotificationChannel&, const std::string&,
                      const v1::Notification&) override {
      return absl::OkStatus();
    }
  };
  ~Parts() {
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
  }
  Parts(const Parts&) = delete;

  // A connected host that the index shows.
  absl::Status AddHost(const std::string& id, const std::string& hostname,
                       const std::map<std::string, std::string>& labels = {}) {
    auto lease = store::AddHost(*store, id, hostname, labels);
    if (!lease.ok()) return lease.status();
    return Show(id);
  }

  // One with the report of JudgedFacts under every baseline.
  absl::Status AddJudgedHost(const std::string& id, const std::string& hostname,
                             const std::map<std::string, std::string>& labels = {}) {
    if (auto status = AddHost(id, hostname, labels); !status.ok()) return status;
    return Judge(id, 1, JudgedFacts());
  }

  // The host's newest facts, observed at At(10 * sequence).
  absl::Status Judge(const std::string& id, uint64_t sequence, v1::HostFacts facts) {
    store::TestEvaluation evaluation(id, sequence, {});
    facts.set_collector_version(absl::StrCat("facts ", sequence));
    evaluation.facts = std::move(facts);
    evaluation.value.container_count = evaluation.facts.containers().containers_size();
    evaluation.Done();
    const policy::HostPolicy policy = book.current()->For(id, index.LabelsOf(id));
    evaluation.value.policy_key = policy.key;
    for (const policy::Document& baseline : *policy.documents) {
      store::Judgement& judgement = evaluation.value.judgements.emplace_back();
      judgement.report =
          evaluate::Evaluate(evaluation.facts, *baseline,
                             {.as_of = evaluation.value.observed,
                              .host_id = id,
                              .facts_digest = absl::BytesToHexString(evaluation.value.facts_digest),
                              .waivers = policy.waivers});
      judgement.failing =
          evaluate::FailingContainersOf(evaluation.facts, *baseline, judgement.report);
    }
    if (auto status = store->reports().Put(evaluation.value); !status.ok()) return status;
    return Show(id);
  }

  absl::Status Show(const std::string& id) {
    index.Changed({id});
    if (!index.Await(absl::Seconds(30))) return absl::InternalError("the index does not follow");
    return absl::OkStatus();
  }

  const std::string url;
  const std::unique_ptr<store::Store> store;
  support::FakeClock clock;
  const std::vector<v1::Baseline> baselines;
  std::string dir;
  std::unique_ptr<access::Authorities> authority;
  std::unique_ptr<Authorities> authority_api;
  access::Revocations revocations;
  access::Authenticator authenticator{store->tokens(), store->users(), clock};
  scans::ScanBoard board{store->scans(), clock};
  policy::PolicyBook book{*store, clock, baselines};
  fleet::ChangeLog changes{"epoch"};
  fleet::FleetIndex index{
      store->fleet(),
      store->reports(),
      baselines,
      clock,
      {.shown = [this](const std::vector<std::string>& ids) { changes.Add(ids); }}};
  fleet::Days days{index, store->fleet(), clock};
  Hosts hosts{*store, index, book, revocations, clock};
  // How often hosts were to be judged again.
  std::atomic<int> wakes{0};
  HostLabels host_labels{*store, index, book, [this] { ++wakes; }};
  Baselines baseline_api{book};
  Findings findings{*store, index, baseline_api, book};
  Summaries summaries{*store, index, days, baseline_api, clock};
  Scans scans{*store, board, StoreResolver(*store), clock};
  Schedules schedules{*store, StoreResolver(*store), clock};
  Waivers waivers{*store, index, book, clock};
  Tailorings tailorings{*store, book, clock};
  Selectors selectors{*store, index, book, clock};
  reevaluate::WhatIfs what_if_runs{*store, index, clock};
  BaselineVersions baseline_versions{*store, book, clock};
  WhatIfs what_ifs{book, what_if_runs, waivers, tailorings, clock};
  std::unique_ptr<EnrollmentTokens> enrollment;
  Taker sender;
  notify::Notifier notifier{store->notifications(),
                            sender,
                            NewBox(),
                            [this] { return book.current()->selectors(); },
                            clock,
                            absl::Minutes(15)};
  Notifications notifications{*store, notifier, book, clock};
  Events events{index, changes, book, clock};
  access::PasswordHasher hasher{access::PasswordCost::kLeast};
  access::SignInThrottle throttle;
  const IdentityParts identity{*store, authenticator, hasher, throttle, clock};
  Users users{identity};
  SignIns sign_ins{identity};
  ApiTokens tokens{identity};
  access::ActivityLog log{store->activity(), clock};
  Activities activities{store->activity()};
  ActivityRecorder recorder{*store, log};
  const access::SecretBox box = NewBox();
  OidcSignIns oidc_sign_ins{identity, sign_ins, nullptr, box, log};
  MethodTable methods{clock, &recorder};
};

inline Principal Viewer() { return {"1", "vera", store::Role::kViewer}; }
inline Principal Auditor() { return {"2", "audrey", store::Role::kAuditor}; }
inline Principal Operator() { return {"3", "otto", store::Role::kOperator}; }
inline Principal Admin() { return {"4", "ada", store::Role::kAdmin}; }

}  // namespace plimsoll::api
