#include "controller/evaluate/failing_containers.h"

#include <openssl/sha.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace plimsoll::evaluate {
namespace {

// An id the engine made up, such as the name of an anonymous volume.
bool IsGeneratedId(absl::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
}

// "container:<id>" names one container: that it shares another's is what matters.
void ForgetContainer(std::string& mode) {
  if (absl::StartsWith(mode, "container:")) mode = "container:";
}

void ForgetInstance(v1::Container::Mount& mount, const std::string& container_id) {
  const bool names_container =
      !container_id.empty() && absl::StrContains(mount.source(), container_id);
  if (!IsGeneratedId(mount.name()) && !names_container) return;
  mount.clear_name();
  mount.clear_source();
  mount.clear_real_source();
}

// SELinux user, role and type; the categories are drawn for each container.
std::string TypeOf(const std::string& label) {
  const std::vector<std::string> parts = absl::StrSplit(label, absl::MaxSplits(':', 3));
  return parts.size() < 3 ? label : parts[0] + ":" + parts[1] + ":" + parts[2];
}

// Leaves what was asked for: settings that another container could have, too.
void ForgetInstance(v1::Container& container) {
  container.DiscardUnknownFields();
  for (v1::Container::Mount& mount : *container.mutable_mounts()) {
    ForgetInstance(mount, container.id());
  }
  container.clear_id();
  container.clear_outcome();
  container.clear_name();
  container.clear_create_time();
  container.clear_status();
  container.clear_pid();
  container.clear_exit_code();
  container.clear_start_time();
  container.clear_state_file_outcome();
  container.clear_health_status();
  container.clear_cgroup_parent();
  // Identity: tasks, pods, projects.
  container.clear_labels();
  // The process.
  container.clear_runtime();
  container.set_process_label(TypeOf(container.process_label()));
  ForgetContainer(*container.mutable_network_mode());
  ForgetContainer(*container.mutable_pid_mode());
  ForgetContainer(*container.mutable_ipc_mode());
  for (v1::Container::NetworkAttachment& network : *container.mutable_networks()) {
    network.clear_id();
  }
  // Live bindings follow from the configured ones, ports that the engine draws aside.
  auto& ports = *container.mutable_ports();
  ports.erase(std::remove_if(ports.begin(), ports.end(),
                             [](const v1::Container::Port& port) {
                               return port.origin() != v1::Container::Port::CONFIGURED;
                             }),
              ports.end());
}

uint64_t Fingerprint(const v1::Container& container, v1::Container& common) {
  common = container;
  ForgetInstance(common);
  // No map is left: fields come in the order of their numbers.
  return DigestPrefix(common.SerializeAsString());
}

void CopySorted(const google::protobuf::RepeatedPtrField<std::string>& from,
                google::protobuf::RepeatedPtrField<std::string>& to) {
  to = from;
  std::sort(to.begin(), to.end());
}

void CopyMounts(const v1::Container& from, v1::Container& to) {
  for (const v1::Container::Mount& mount : from.mounts()) {
    v1::Container::Mount one = mount;
    ForgetInstance(one, from.id());
    v1::Container::Mount& copy = *to.add_mounts();
    copy.set_type(one.type());
    copy.set_source(one.source());
    copy.set_destination(one.destination());
    copy.set_read_write(one.read_write());
    copy.set_propagation(one.propagation());
  }
  std::sort(to.mutable_mounts()->begin(), to.mutable_mounts()->end(),
            [](const auto& a, const auto& b) { return a.destination() < b.destination(); });
}

}  // namespace

uint64_t DigestPrefix(absl::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  uint64_t prefix = 0;
  for (int i = 0; i < 8; ++i) prefix = prefix << 8 | digest[i];
  return prefix;
}

uint64_t GrantedFingerprint(const v1::Container& container) {
  v1::Container granted;
  granted.set_image_id(container.image_id());
  if (container.has_privileged()) granted.set_privileged(container.privileged());
  granted.set_user(container.user());
  CopySorted(container.cap_add(), *granted.mutable_cap_add());
  CopySorted(container.cap_drop(), *granted.mutable_cap_drop());
  *granted.mutable_security_options() = container.security_options();
  granted.set_network_mode(container.network_mode());
  granted.set_pid_mode(container.pid_mode());
  granted.set_ipc_mode(container.ipc_mode());
  granted.set_uts_mode(container.uts_mode());
  granted.set_userns_mode(container.userns_mode());
  granted.set_cgroupns_mode(container.cgroupns_mode());
  for (std::string* mode :
       {granted.mutable_network_mode(), granted.mutable_pid_mode(), granted.mutable_ipc_mode()}) {
    ForgetContainer(*mode);
  }
  CopyMounts(container, granted);
  *granted.mutable_devices() = container.devices();
  *granted.mutable_device_cgroup_rules() = container.device_cgroup_rules();
  *granted.mutable_device_requests() = container.device_requests();
  granted.DiscardUnknownFields();
  return DigestPrefix(granted.SerializeAsString());
}

uint64_t ContainerFingerprint(const v1::Container& container) {
  v1::Container common;
  return Fingerprint(container, common);
}

uint64_t ContainerFingerprints::Of(const v1::Container& container) {
  const auto [known, fresh] = known_.try_emplace(container.id(), 0);
  if (fresh) known->second = Fingerprint(container, scratch_);
  return known->second;
}

v1::FailingContainers FailingContainersOf(const v1::HostFacts& facts, const v1::Baseline& baseline,
                                          const v1::HostReport& report) {
  ContainerFingerprints fingerprints;
  return FailingContainersOf(facts, baseline, report, fingerprints);
}

v1::FailingContainers FailingContainersOf(const v1::HostFacts& facts, const v1::Baseline& baseline,
                                          const v1::HostReport& report,
                                          ContainerFingerprints& fingerprints) {
  // Rules each container fails, ascending.
  absl::flat_hash_map<absl::string_view, std::vector<int32_t>> failing;
  const int count = std::min(report.verdicts_size(), baseline.rules_size());
  for (int place = 0; place < count; ++place) {
    const v1::Verdict& verdict = report.verdicts(place);
    if (verdict.status() != v1::Verdict::FAIL) continue;
    for (const v1::Finding& finding : verdict.findings()) {
      if (finding.status() != v1::Verdict::FAIL || finding.object_id().empty()) continue;
      std::vector<int32_t>& rules = failing[finding.object_id()];
      if (rules.empty() || rules.back() != place) rules.push_back(place);
    }
  }
  // Objects that are no containers fall out here.
  std::map<std::pair<uint64_t, std::vector<int32_t>>, int32_t> counts;
  for (const v1::Container& container : facts.containers().containers()) {
    const auto found = failing.find(container.id());
    if (found == failing.end()) continue;
    ++counts[{fingerprints.Of(container), found->second}];
  }
  v1::FailingContainers result;
  for (const auto& [key, containers] : counts) {
    v1::FailingContainers::Configuration& configuration = *result.add_configurations();
    configuration.set_fingerprint(key.first);
    configuration.set_count(containers);
    configuration.mutable_rules()->Add(key.second.begin(), key.second.end());
  }
  return result;
}

}  // namespace plimsoll::evaluate
