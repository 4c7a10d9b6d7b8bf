// Hosts and scans, as the tests of scans need them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {

// h1 "beta" is connected, h2 "alpha" is not.
class ScanTestBase : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    ASSERT_TRUE(AddHost(*store_, "h1", "beta").ok());
    auto lease = AddHost(*store_, "h2", "alpha");
    ASSERT_TRUE(lease.ok()) << lease.status();
    ASSERT_TRUE(store_->hosts().EndSession("h2", lease->epoch, At(1)).ok());
  }
  ScanStore& scans() { return store_->scans(); }

  static NewScan Scan(const std::string& id, std::vector<std::string> hosts,
                      const std::string& key = "") {
    NewScan scan;
    scan.id = id;
    scan.created_by = "ann";
    scan.idempotency_key = key;
    scan.request_digest = "request";
    scan.create_time = At(0);
    scan.deadline = At(100);
    scan.host_ids = std::move(hosts);
    return scan;
  }

  // Hosts and states of a scan: "alpha OFFLINE".
  std::vector<std::string> Hosts(const std::string& id) {
    std::vector<std::string> lines;
    const auto scan = scans().Get(id);
    EXPECT_TRUE(scan.ok()) << scan.status();
    if (!scan.ok()) return lines;
    for (const v1::ScanHost& host : scan->hosts()) {
      lines.push_back(absl::StrCat(host.hostname(), " ", v1::ScanHost::State_Name(host.state())));
    }
    return lines;
  }
  // The host answers with facts of sequence `sequence`.
  void Answer(const std::string& host, uint64_t sequence, std::vector<std::string> scan_ids) {
    TestEvaluation evaluation(host, sequence);
    evaluation.Verdict("r2", v1::Verdict::FAIL, {"a"});
    evaluation.Verdict("r3", v1::Verdict::UNKNOWN, {"x"});
    evaluation.value.scan_ids = std::move(scan_ids);
    absl::Status status = absl::AbortedError("not tried");
    // Tried again when it got in the way of another, as the gateway does.
    for (int i = 0; i < 10 && absl::IsAborted(status); ++i) {
      status = store_->reports().Put(evaluation.Done());
    }
    ASSERT_TRUE(status.ok()) << status;
  }
};

}  // namespace plimsoll::store
