// The API's handlers over a real PostgreSQL, as the controller wires them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "controller/access/authenticator.h"
#include "controller/api/api.h"
#include "tests/controller/api/scan_parts.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::api {

// The store's baseline, with every rule in the score.
inline v1::Baseline ScoredBaseline(const std::string& id = "base") {
  v1::Baseline baseline = store::MakeBaseline(id);
  for (v1::Rule& rule : *baseline.mutable_rules()) {
    rule.set_scored(true);
    rule.set_slug("slug-of-" + rule.id());
  }
  return baseline;
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
    authority = *access::CertificateAuthority::LoadOrCreate(dir + "/pki", clock.Now());
    enrollment = std::make_unique<EnrollmentTokens>(*store, *authority, revocations, clock);
  }
  ~Parts() {
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
  }
  Parts(const Parts&) = delete;

  // A connected host whose report has r1 PASS, r2 FAIL (objects a, b), r3 UNKNOWN and r4 FAIL
  // (object c) under every baseline.
  absl::Status AddJudgedHost(const std::string& id, const std::string& hostname,
                             const std::map<std::string, std::string>& labels = {}) {
    if (auto status = store::AddHost(*store, id, hostname, labels); !status.ok()) return status;
    store::TestEvaluation evaluation(id, 1, baselines);
    for (int i = 0; i < static_cast<int>(baselines.size()); ++i) {
      evaluation.Verdict("r1", v1::Verdict::PASS, {}, i);
      evaluation.Verdict("r2", v1::Verdict::FAIL, {"a", "b"}, i);
      evaluation.Verdict("r3", v1::Verdict::UNKNOWN, {"x"}, i);
      evaluation.Verdict("r4", v1::Verdict::FAIL, {"c"}, i);
    }
    return store->reports().Put(evaluation.Done());
  }

  const std::string url;
  const std::unique_ptr<store::Store> store;
  support::FakeClock clock;
  const std::vector<v1::Baseline> baselines;
  std::string dir;
  std::unique_ptr<access::CertificateAuthority> authority;
  access::Revocations revocations;
  access::Authenticator authenticator{store->tokens(), clock};
  scans::ScanBoard board{store->scans(), clock};
  Hosts hosts{*store};
  Baselines baseline_api{baselines};
  Findings findings{*store, baseline_api};
  Summaries summaries{*store, baseline_api, clock};
  Scans scans{*store, board, StoreResolver(*store), clock};
  Schedules schedules{*store, StoreResolver(*store), clock};
  std::unique_ptr<EnrollmentTokens> enrollment;
};

inline Principal Viewer() { return {"1", "vera", store::Role::kViewer}; }
inline Principal Auditor() { return {"2", "audrey", store::Role::kAuditor}; }
inline Principal Operator() { return {"3", "otto", store::Role::kOperator}; }
inline Principal Admin() { return {"4", "ada", store::Role::kAdmin}; }

}  // namespace plimsoll::api
