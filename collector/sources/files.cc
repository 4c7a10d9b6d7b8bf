#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/file_fact.h"
#include "collector/sources/file_paths.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr int kMaxFiles = 1024;
constexpr int kMaxCertificateEntries = 4096;
constexpr char kCertificates[] = "/etc/docker/certs.d";

bool IsCertificateName(absl::string_view name) {
  for (const absl::string_view suffix : {".crt", ".cert", ".key", ".pem"}) {
    if (absl::EndsWith(name, suffix)) return true;
  }
  return false;
}

// Walks the registry certificates; what it could not see ends up in the outcome.
class CertificateWalk {
 public:
  CertificateWalk(const host::FileSystem& files, FileExaminer& examiner, OutcomeTimer& timer,
                  v1::FilesFacts* facts)
      : files_(files), examiner_(examiner), timer_(timer), facts_(facts) {}

  void Run() {
    const auto top = files_.Stat(kCertificates);
    if (!top.ok()) {
      timer_.Set(top.status());
      return;
    }
    seen_.insert(IdOf(*top));
    directories_.push_back(kCertificates);
    while (!directories_.empty()) {
      const std::string directory = std::move(directories_.back());
      directories_.pop_back();
      List(directory);
    }
    timer_.Set(v1::SourceOutcome::OK, "");
  }

 private:
  using Id = std::tuple<uint32_t, uint32_t, uint64_t>;
  static Id IdOf(const host::FileStatus& status) {
    return {status.device_major, status.device_minor, status.inode};
  }

  void List(const std::string& directory) {
    const auto names = files_.ListDirectory(directory);
    if (!names.ok()) {
      timer_.Set(names.status());
      return;
    }
    for (const std::string& name : *names) {
      if (++entries_ > kMaxCertificateEntries) {
        timer_.Set(v1::SourceOutcome::TRUNCATED, absl::StrCat(kCertificates, " holds more than ",
                                                              kMaxCertificateEntries, " entries"));
        directories_.clear();
        return;
      }
      Visit(absl::StrCat(directory, "/", name));
    }
  }

  void Visit(const std::string& path) {
    const auto target = files_.Stat(path);
    const bool named = IsCertificateName(path);
    if (!target.ok()) {
      // A link that leads nowhere is no certificate; anything else may be one, or hold some.
      if (absl::IsNotFound(target.status())) return;
      if (named) Add(path);
      timer_.Set(target.status());
    } else if (target->type == host::FileType::kDirectory) {
      // Links may lead in circles.
      if (seen_.insert(IdOf(*target)).second) directories_.push_back(path);
    } else if (named && target->type == host::FileType::kRegular) {
      Add(path);
    }
  }

  void Add(const std::string& path) {
    if (!keys_.insert(CleanText(path, kMaxPathBytes)).second) {
      timer_.Set(v1::SourceOutcome::TRUNCATED, "two names that are no text look the same");
      return;
    }
    examiner_.Examine(path, facts_->add_registry_certificates());
  }

  const host::FileSystem& files_;
  FileExaminer& examiner_;
  OutcomeTimer& timer_;
  v1::FilesFacts* const facts_;
  std::vector<std::string> directories_;
  std::set<Id> seen_;
  std::set<std::string> keys_;
  int entries_ = 0;
};

}  // namespace

v1::FilesFacts CollectFiles(host::HostEnv& env, const v1::CollectionPlan& plan,
                            const v1::EngineFacts& engine, const v1::DaemonFacts& daemon,
                            const v1::UnitsFacts& units) {
  v1::FilesFacts facts;
  OutcomeTimer timer(env.clock, facts.mutable_outcome());
  // The engine's own view of the files, where there is an engine and it lets itself be looked into.
  std::unique_ptr<host::FileSystem> own;
  if (daemon.pid() > 0) own = env.files_of_process(daemon.pid());
  const host::FileSystem& engine_files = own != nullptr && own->Stat("/").ok() ? *own : env.files;
  FileExaminer engine_examiner(engine_files, env.clock);
  FileExaminer host_examiner(env.files, env.clock);

  const std::set<std::string> unit_paths = UnitPaths(units);
  std::set<std::string> paths = EnginePaths(engine_files, engine, daemon, units);
  // Units and the configuration come first, should the plan be too long.
  paths.insert(unit_paths.begin(), unit_paths.end());
  for (const std::string& path : plan.paths()) {
    if (paths.size() < kMaxFiles || paths.contains(path)) {
      paths.insert(path);
    } else {
      timer.Set(v1::SourceOutcome::TRUNCATED,
                absl::StrCat("more than ", kMaxFiles, " paths to look at"));
    }
  }
  for (const std::string& path : paths) {
    if (facts.files_size() == kMaxFiles) break;
    FileExaminer& examiner = unit_paths.contains(path) ? host_examiner : engine_examiner;
    examiner.Examine(path, facts.add_files());
  }
  timer.Set(v1::SourceOutcome::OK, "");

  OutcomeTimer walk_timer(env.clock, facts.mutable_registry_certificates_outcome());
  CertificateWalk(engine_files, engine_examiner, walk_timer, &facts).Run();
  std::sort(facts.mutable_registry_certificates()->begin(),
            facts.mutable_registry_certificates()->end(),
            [](const v1::FileFact& a, const v1::FileFact& b) { return a.path() < b.path(); });
  return facts;
}

}  // namespace plimsoll::sources
