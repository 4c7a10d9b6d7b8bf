#include "controller/api/baseline_versions.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

// A document of one rule, which fails for every container that is privileged.
std::string Yaml(const std::string& version, const std::string& severity = "high",
                 const std::string& id = "mine") {
  return absl::StrCat("id: ", id, "\nversion: \"", version,
                      "\"\ntitle: Mine\nsections: [{id: \"1\", title: One}]\nrules:\n"
                      "  - id: \"1.1\"\n    slug: not-privileged\n    title: Not privileged\n"
                      "    severity: ",
                      severity,
                      "\n    scope: container\n    description: d\n    remediation: r\n"
                      "    check: {container_not_privileged: {}}\n");
}

class BaselineVersionsTest : public ::testing::Test {
 protected:
  BaselineVersionsTest() {
    parts_.book.OnDocuments([this](const std::vector<policy::Document>& documents) {
      std::vector<v1::Baseline> copies;
      for (const policy::Document& document : documents) copies.push_back(*document);
      return parts_.index.SetDocuments(copies);
    });
  }
  v1::BaselineVersion Upload(const std::string& yaml) {
    v1::UploadBaselineRequest request;
    request.set_yaml(yaml);
    auto version = parts_.baseline_versions.Upload(Admin(), request);
    EXPECT_TRUE(version.ok()) << version.status();
    return version.value_or(v1::BaselineVersion());
  }
  absl::StatusOr<v1::Baseline> Activate(const std::string& version) {
    v1::ActivateBaselineRequest request;
    request.set_baseline("mine");
    request.set_version(version);
    return parts_.baseline_versions.Activate(Admin(), request);
  }
  absl::StatusOr<v1::Baseline> Rollback() {
    v1::RollbackBaselineRequest request;
    request.set_baseline("mine");
    return parts_.baseline_versions.Rollback(Admin(), request);
  }
  Parts parts_;
};

TEST_F(BaselineVersionsTest, UploadsAreKeptAndChangeNothing) {
  const v1::BaselineVersion version = Upload(Yaml("1"));
  EXPECT_EQ(version.baseline(), "mine");
  EXPECT_EQ(version.uploaded_by(), Admin().name);
  EXPECT_FALSE(version.active());
  EXPECT_EQ(Upload(Yaml("1")).digest(), version.digest());
  v1::ListBaselineVersionsRequest list;
  list.set_baseline("mine");
  EXPECT_EQ(parts_.baseline_versions.List(Viewer(), list)->versions_size(), 1);
  EXPECT_EQ(parts_.baseline_api.List(Viewer(), {})->baselines_size(), 1);
  v1::UploadBaselineRequest wrong;
  wrong.set_yaml("id: x\ncolour: red\n");
  wrong.set_file_name("my.yaml");
  const absl::Status status = parts_.baseline_versions.Upload(Admin(), wrong).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "my.yaml:2")) << status;
}

TEST_F(BaselineVersionsTest, AnActiveOneIsJudgedByAndCanBeRolledBack) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  const std::string first = Upload(Yaml("1")).digest();
  const std::string second = Upload(Yaml("2", "low")).digest();
  EXPECT_TRUE(absl::IsFailedPrecondition(Rollback().status()));
  EXPECT_TRUE(absl::IsNotFound(Activate("3").status()));
  v1::ActivateBaselineRequest unknown;
  EXPECT_TRUE(
      absl::IsInvalidArgument(parts_.baseline_versions.Activate(Admin(), unknown).status()));
  unknown.set_baseline("none");
  EXPECT_TRUE(absl::IsNotFound(parts_.baseline_versions.Activate(Admin(), unknown).status()));
  auto active = Activate("1");
  ASSERT_TRUE(active.ok()) << active.status();
  EXPECT_EQ(active->digest(), first);
  ASSERT_TRUE(parts_.Judge("h-1", 2, JudgedFacts()).ok());
  v1::GetSummaryRequest request;
  request.set_baseline("mine");
  auto summary = parts_.summaries.Get(Viewer(), request);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->counts().fail(), 1);
  EXPECT_EQ(summary->severities(0).severity(), v1::HIGH);
  // The other baseline goes on as it was.
  request.set_baseline("base");
  EXPECT_EQ(parts_.summaries.Get(Viewer(), request)->counts().fail(), 2);
  // Another version: the host is shown by what it was judged under until it is judged again.
  ASSERT_TRUE(Activate(second.substr(0, 12)).ok());
  request.set_baseline("mine");
  EXPECT_EQ(parts_.summaries.Get(Viewer(), request)->counts().fail(), 1);
  EXPECT_EQ(parts_.index.CountOutdated(*parts_.book.current()), 1);
  ASSERT_TRUE(parts_.Judge("h-1", 3, JudgedFacts()).ok());
  EXPECT_EQ(parts_.summaries.Get(Viewer(), request)->severities(0).severity(), v1::LOW);
  EXPECT_EQ(parts_.index.CountOutdated(*parts_.book.current()), 0);
  EXPECT_EQ(Rollback()->digest(), first);
  // Back to the configuration, which has no such baseline.
  EXPECT_EQ(Activate("")->digest(), "");
  EXPECT_TRUE(absl::IsNotFound(parts_.summaries.Get(Viewer(), request).status()));
  ASSERT_TRUE(parts_.Judge("h-1", 4, JudgedFacts()).ok());
  EXPECT_EQ(parts_.hosts.List(Viewer(), {})->hosts(0).counts().count("mine"), 0u);
}

TEST_F(BaselineVersionsTest, NeedTheWholeFleet) {
  Principal limited = Admin();
  limited.scope = "env=dev";
  v1::UploadBaselineRequest request;
  request.set_yaml(Yaml("1"));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.baseline_versions.Upload(limited, request).status()));
}

}  // namespace
}  // namespace plimsoll::api
