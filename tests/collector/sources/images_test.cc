#include <gtest/gtest.h>

#include <string>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Fixture;
using test::Has;

const char* const kRecorded[] = {"bb",       "dang_1",       "dangling",     "full_1",
                                 "health_1", "healthexec_1", "healthnone_1", "user0_1",
                                 "user_1",   "username_1",   "userroot_1"};

std::string IdOf(const std::string& inspect) {
  const size_t at = inspect.find("\"Id\":\"") + 6;
  return inspect.substr(at, inspect.find('"', at) - at);
}

void ServeRecorded(FakeEngineHost& host) {
  host.docker.ServeFile("/v1.41/images/json", "docker-20.10/images.json");
  for (const char* name : kRecorded) {
    const std::string inspect = Fixture(absl::StrCat("docker-20.10/images/", name, ".json"));
    host.docker.Serve(absl::StrCat("/v1.41/images/", IdOf(inspect), "/json"), inspect);
  }
}

TEST(CollectImages, ReadsEveryRecordedOne) {
  const struct {
    const char* first_tag;
    const char* expected;
  } kCases[] = {
      {"bb:latest", "healthcheck: HEALTHCHECK_ABSENT size_bytes: 1984210"},
      {"dang:1", "healthcheck: HEALTHCHECK_ABSENT"},
      {"full:1", "user: 'app' healthcheck: HEALTHCHECK_CMD_SHELL"},
      {"health:1", "healthcheck: HEALTHCHECK_CMD_SHELL"},
      {"healthexec:1", "healthcheck: HEALTHCHECK_CMD"},
      {"healthnone:1", "healthcheck: HEALTHCHECK_NONE"},
      {"user0:1", "user: '0:0'"},
      {"reg.example:5000/team/user:1",
       "user: '1000' repo_tags: ['reg.example:5000/team/user:1', 'user:1', 'user:2']"},
      {"username:1", "user: 'app:app'"},
      {"userroot:1", "user: 'root'"},
  };
  FakeEngineHost host;
  ServeRecorded(host);
  const v1::ImagesFacts facts = CollectImages(host.env, "/v1.41");
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK) << facts.outcome().message();
  ASSERT_EQ(facts.images_size(), 11);
  int dangling = 0;
  for (const v1::Image& image : facts.images()) {
    EXPECT_EQ(image.outcome().state(), v1::SourceOutcome::OK) << image.outcome().message();
    EXPECT_GT(image.create_time().seconds(), 1700000000);
    dangling += image.dangling() ? 1 : 0;
    EXPECT_EQ(image.dangling(), image.repo_tags().empty());
    EXPECT_TRUE(image.repo_digests().empty());
  }
  EXPECT_EQ(dangling, 1);
  for (const auto& c : kCases) {
    bool found = false;
    for (const v1::Image& image : facts.images()) {
      if (image.repo_tags_size() == 0 || image.repo_tags(0) != c.first_tag) continue;
      found = true;
      EXPECT_TRUE(Has(image, c.expected)) << c.first_tag;
    }
    EXPECT_TRUE(found) << c.first_tag;
  }
  for (const auto& [path, calls] : host.docker.all_calls()) EXPECT_EQ(calls, 1) << path;
  EXPECT_EQ(host.docker.all_calls().size(), 12u);
}

TEST(CollectImages, AVanishedImageIsDroppedAndOtherErrorsStayWithIt) {
  FakeEngineHost host;
  ServeRecorded(host);
  const std::string gone = IdOf(Fixture("docker-20.10/images/bb.json"));
  const std::string slow = IdOf(Fixture("docker-20.10/images/full_1.json"));
  const std::string odd = IdOf(Fixture("docker-20.10/images/user_1.json"));
  const std::string wrong = IdOf(Fixture("docker-20.10/images/health_1.json"));
  host.docker.Fail(absl::StrCat("/v1.41/images/", gone, "/json"), absl::NotFoundError("404"));
  host.docker.Fail(absl::StrCat("/v1.41/images/", slow, "/json"),
                   absl::DeadlineExceededError("hung"));
  host.docker.Serve(absl::StrCat("/v1.41/images/", odd, "/json"),
                    absl::StrCat(R"({"Id":")", odd, R"(","Config":{"User":7}})"));
  host.docker.Serve(absl::StrCat("/v1.41/images/", wrong, "/json"),
                    R"({"Id":"sha256:other","Config":{"User":"app"}})");
  const v1::ImagesFacts facts = CollectImages(host.env, "/v1.41");
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(facts.images_size(), 10);
  for (const v1::Image& image : facts.images()) {
    EXPECT_NE(image.id(), gone);
    const v1::SourceOutcome::State state = image.id() == slow ? v1::SourceOutcome::TIMED_OUT
                                           : image.id() == odd || image.id() == wrong
                                               ? v1::SourceOutcome::MALFORMED
                                               : v1::SourceOutcome::OK;
    EXPECT_EQ(image.outcome().state(), state) << image.id();
    if (state == v1::SourceOutcome::OK) continue;
    // What the listing gave is there; what was not read is not called "no user, no check".
    EXPECT_FALSE(image.repo_tags().empty());
    EXPECT_EQ(image.healthcheck(), v1::HEALTHCHECK_KIND_UNSPECIFIED);
    EXPECT_EQ(image.user(), "");
  }
}

TEST(CollectImages, KeepsNoCredentialsAndNoEnvironment) {
  FakeEngineHost host;
  const std::string id = "sha256:" + std::string(64, 'a');
  host.docker.Serve("/v1.52/images/json",
                    absl::StrCat(R"([{"Id":")", id, R"(","RepoTags":["u:MARKER@r/i:1"],
      "RepoDigests":["u:MARKER@r/i@)",
                                 id, R"("],"Labels":{"k":"MARKER"}}])"));
  host.docker.Serve(absl::StrCat("/v1.52/images/", id, "/json"),
                    absl::StrCat(R"({"Id":")", id, R"(","Config":{"Env":["K=MARKER"],
      "Cmd":["MARKER"],"Entrypoint":["MARKER"],"Labels":{"k":"MARKER"},
      "Healthcheck":{"Test":["CMD","MARKER"]}},"Comment":"MARKER","Author":"MARKER"})"));
  const v1::ImagesFacts facts = CollectImages(host.env, "/v1.52");
  ASSERT_EQ(facts.images_size(), 1);
  EXPECT_TRUE(Has(facts.images(0),
                  absl::StrCat("outcome { state: OK } repo_tags: 'r/i:1'",
                               " healthcheck: HEALTHCHECK_CMD", " repo_digests: 'r/i@", id, "'")));
  EXPECT_EQ(facts.SerializeAsString().find("MARKER"), std::string::npos);
}

TEST(CollectImages, AnImageKnownByItsDigestAloneIsNotDangling) {
  FakeEngineHost host;
  const std::string id = "sha256:" + std::string(64, 'a');
  host.docker.Serve(
      "/v1.52/images/json",
      absl::StrCat(R"([{"Id":")", id, R"(","RepoTags":null,"RepoDigests":["i@)", id, R"("]}])"));
  host.docker.Serve(absl::StrCat("/v1.52/images/", id, "/json"),
                    absl::StrCat(R"({"Id":")", id, R"("})"));
  const v1::ImagesFacts facts = CollectImages(host.env, "/v1.52");
  ASSERT_EQ(facts.images_size(), 1);
  EXPECT_FALSE(facts.images(0).dangling());
  EXPECT_TRUE(Has(facts.images(0), "outcome { state: OK } healthcheck: HEALTHCHECK_ABSENT"));
}

TEST(CollectImages, ErrorsOfTheListingAreTheSections) {
  FakeEngineHost host;
  host.docker.Fail("/v1.41/images/json", absl::PermissionDeniedError("403"));
  EXPECT_EQ(CollectImages(host.env, "/v1.41").outcome().state(),
            v1::SourceOutcome::PERMISSION_DENIED);
  for (const char* reply : {"{}", "[1]", R"([{"Id":"../../etc"}])", R"([{"Id":"a","Size":"1"}])"}) {
    host.docker.Serve("/v1.41/images/json", reply);
    EXPECT_EQ(CollectImages(host.env, "/v1.41").outcome().state(), v1::SourceOutcome::MALFORMED)
        << reply;
  }
  EXPECT_EQ(CollectImages(host.env, "").outcome().state(), v1::SourceOutcome::UNAVAILABLE);
}

}  // namespace
}  // namespace plimsoll::sources
