// Templates: recorded hosts, read, sorted, varied and digested once.
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"
#include "proto/support/version.h"
#include "tests/bench/fleet_sim/facts.h"

namespace plimsoll::fleet_sim {
namespace {

constexpr char kRecordedHost[] =
#include "recorded_host.inc"
    ;
constexpr int kVariants = 8;
constexpr absl::string_view kNul("\0", 1);

absl::StatusOr<v1::HostFacts> Read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("--facts ", file, ": cannot be read"));
  }
  v1::HostFacts facts;
  const std::string bytes = text.str();
  bool parsed = false;
  if (absl::EndsWith(file, ".textproto")) {
    parsed = google::protobuf::TextFormat::ParseFromString(bytes, &facts);
  } else if (absl::EndsWith(file, ".json")) {
    parsed = google::protobuf::util::JsonStringToMessage(bytes, &facts).ok();
  } else {
    parsed = facts.ParseFromString(bytes);
  }
  if (!parsed || facts.containers().containers().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--facts ", file,
                     ": not a recorded host with containers; make one with `plimsoll-collector "
                     "--once --out FILE`"));
  }
  return facts;
}

template <class List>
void SortByKey(List* list) {
  std::sort(list->pointer_begin(), list->pointer_end(),
            [](const auto* a, const auto* b) { return support::KeyOf(*a) < support::KeyOf(*b); });
}

// Images for `containers` containers, five of each.
void MultiplyImages(v1::ImagesFacts& images, int containers) {
  if (images.images().empty()) return;
  const auto recorded = images.images();
  images.clear_images();
  for (int i = 0; i < (containers + 4) / 5; ++i) {
    v1::Image& image = *images.add_images();
    image = recorded[i % recorded.size()];
    image.set_id(absl::StrFormat("sha256:%016x%048x", Mix(static_cast<uint64_t>(i), 7), i));
    image.clear_repo_tags();
    image.add_repo_tags(absl::StrCat("registry.example.com/app-", i, ":1.4"));
    image.set_container_count(std::min(5, containers - i * 5));
  }
}

// What differs between the hosts of a fleet beside their containers.
void VaryHost(v1::HostFacts& facts, uint64_t random) {
  const auto one_in = [&random](uint64_t n) {
    random = Mix(random, n);
    return random % n == 0;
  };
  for (v1::FileFact& file : *facts.mutable_files()->mutable_files()) {
    if (one_in(40)) file.set_mode(file.mode() | 022);
  }
  auto& settings = *facts.mutable_daemon()->mutable_config_file()->mutable_settings();
  if (one_in(2)) settings.set_icc(true);
  if (one_in(3)) settings.set_live_restore(false);
  if (one_in(3)) settings.set_userland_proxy(true);
  if (one_in(4)) settings.clear_no_new_privileges();
  if (one_in(5)) facts.mutable_engine()->set_version("20.10.24");
}

std::string SectionDigest(std::string bytes, const std::map<std::string, std::string>& objects) {
  for (const auto& [key, digest] : objects) absl::StrAppend(&bytes, key, kNul, digest);
  return support::Sha256(bytes);
}

template <class List>
std::map<std::string, std::string> ObjectDigests(const List& list) {
  std::map<std::string, std::string> digests;
  for (const auto& object : list) {
    digests[support::KeyOf(object)] = support::Sha256(support::SerializeStable(object));
  }
  return digests;
}

// As FactsDigestTree does it; HostState::Verify holds them together.
void DigestSections(Template& made) {
  const v1::HostFacts& facts = made.facts;
  auto& digests = made.section_digests;
#define PLIMSOLL_PLAIN(name, Name)                               \
  if (facts.has_##name()) {                                      \
    digests[v1::HostFacts::k##Name##FieldNumber] =               \
        support::Sha256(support::SerializeStable(facts.name())); \
  }
  PLIMSOLL_PLAIN(engine, Engine)
  PLIMSOLL_PLAIN(daemon, Daemon)
  PLIMSOLL_PLAIN(units, Units)
  PLIMSOLL_PLAIN(audit, Audit)
  PLIMSOLL_PLAIN(mounts, Mounts)
  PLIMSOLL_PLAIN(users, Users)
  PLIMSOLL_PLAIN(swarm, Swarm)
  PLIMSOLL_PLAIN(listeners, Listeners)
#undef PLIMSOLL_PLAIN
#define PLIMSOLL_KEYED(name, Name)                                                         \
  if (facts.has_##name()) {                                                                \
    auto rest = facts.name();                                                              \
    rest.clear_##name();                                                                   \
    digests[v1::HostFacts::k##Name##FieldNumber] =                                         \
        SectionDigest(support::SerializeStable(rest), ObjectDigests(facts.name().name())); \
  }
  PLIMSOLL_KEYED(files, Files)
  PLIMSOLL_KEYED(images, Images)
  PLIMSOLL_KEYED(volumes, Volumes)
  PLIMSOLL_KEYED(networks, Networks)
#undef PLIMSOLL_KEYED
  made.containers_rest = support::SerializeStable(facts.containers());
}

Template MakeTemplate(v1::HostFacts facts, int containers, uint64_t random) {
  Template made;
  support::ClearVolatile(facts);
  facts.set_collector_version(support::kVersion);
  facts.clear_labels();
  made.containers.assign(facts.containers().containers().begin(),
                         facts.containers().containers().end());
  facts.mutable_containers()->clear_containers();
  MultiplyImages(*facts.mutable_images(), containers);
  VaryHost(facts, random);
  facts.mutable_machine();
  SortByKey(facts.mutable_files()->mutable_files());
  SortByKey(facts.mutable_images()->mutable_images());
  SortByKey(facts.mutable_volumes()->mutable_volumes());
  SortByKey(facts.mutable_networks()->mutable_networks());
  made.facts = std::move(facts);
  DigestSections(made);
  return made;
}

}  // namespace

absl::StatusOr<std::vector<Template>> MakeTemplates(const std::vector<std::string>& files,
                                                    int containers, uint64_t seed) {
  std::vector<v1::HostFacts> recorded;
  for (const std::string& file : files) {
    auto facts = Read(file);
    if (!facts.ok()) return facts.status();
    recorded.push_back(*std::move(facts));
  }
  if (recorded.empty() &&
      !google::protobuf::TextFormat::ParseFromString(kRecordedHost, &recorded.emplace_back())) {
    return absl::InternalError("the built-in host cannot be parsed");
  }
  std::vector<Template> templates;
  for (uint64_t variant = 0; variant < kVariants; ++variant) {
    for (const v1::HostFacts& facts : recorded) {
      templates.push_back(MakeTemplate(facts, containers, Mix(Mix(seed, 50), variant)));
    }
  }
  return templates;
}

}  // namespace plimsoll::fleet_sim
