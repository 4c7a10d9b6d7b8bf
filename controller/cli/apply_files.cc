#include "controller/cli/apply_files.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/read_whole.h"
#include "controller/evaluate/yaml_decode.h"
#include "controller/evaluate/yaml_screen.h"
#include "plimsoll/v1/host_service.pb.h"
#include "plimsoll/v1/notification_service.pb.h"
#include "plimsoll/v1/schedule_service.pb.h"
#include "plimsoll/v1/selector_service.pb.h"
#include "plimsoll/v1/tailoring_service.pb.h"
#include "plimsoll/v1/waiver_service.pb.h"
#include "proto/support/key_files.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMostMebibytes = 1;
constexpr size_t kMostFiles = 1000;
constexpr int kMostObjects = 5000;
constexpr char kSecretFile[] = "secretFile";

int LineOf(const YAML::Node& node) { return std::max(node.Mark().line, 0) + 1; }

// "timeZone" as "time_zone", so that places of files and of the API's errors are alike.
std::string SnakeCase(absl::string_view text) {
  std::string snake;
  for (const char c : text) {
    if (absl::ascii_isupper(c)) snake += '_';
    snake += absl::ascii_tolower(c);
  }
  return snake;
}

const PolicyKind* FindKind(const std::string& name) {
  for (const PolicyKind& kind : PolicyKinds()) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

// Reads the documents of one file.
class FileReader {
 public:
  FileReader(std::string file, PolicyFiles& out) : file_(std::move(file)), out_(out) {}

  void Read(const std::string& text) {
    try {
      std::istringstream stream(text);
      YAML::Parser parser(stream);
      evaluate::YamlScreen screen(kMostObjects);
      while (parser.HandleNextDocument(screen) && screen.problem().empty()) {
      }
      if (!screen.problem().empty()) return Problem(screen.line(), screen.problem());
      for (const YAML::Node& document : YAML::LoadAll(text)) {
        if (!document.IsNull()) ReadDocument(document);
      }
    } catch (const YAML::DeepRecursion&) {
      Problem(1, "nested too deeply");
    } catch (const YAML::Exception& e) {
      Problem(std::max(e.mark.line, 0) + 1, absl::StrCat("not YAML: ", e.msg));
    }
  }

 private:
  void Problem(int line, absl::string_view what) {
    out_.problems.push_back(absl::StrCat(file_, ":", line, ": ", what));
  }

  // The members of a mapping that has no others than `allowed`.
  std::map<std::string, YAML::Node> Members(const YAML::Node& node, absl::string_view place,
                                            const std::vector<std::string>& allowed) {
    std::map<std::string, YAML::Node> members;
    if (!node.IsMap()) {
      Problem(LineOf(node),
              absl::StrCat(place, ": expected a mapping with ", absl::StrJoin(allowed, ", ")));
      return members;
    }
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
        Problem(LineOf(entry.first),
                absl::StrCat(place, ": unknown key \"", key,
                             "\"; expected one of: ", absl::StrJoin(allowed, ", ")));
      } else if (!members.emplace(key, entry.second).second) {
        Problem(LineOf(entry.first), absl::StrCat(place, ": duplicate key \"", key, "\""));
      }
    }
    return members;
  }

  std::string Text(const std::map<std::string, YAML::Node>& members, const std::string& key) {
    const auto found = members.find(key);
    return found != members.end() && found->second.IsScalar() ? found->second.Scalar() : "";
  }

  void ReadDocument(const YAML::Node& document) {
    const size_t problems = out_.problems.size();
    const auto members = Members(document, "document", {"kind", "metadata", "spec"});
    if (out_.problems.size() != problems) return;
    PolicyObject object;
    object.file = file_;
    object.line = LineOf(document);
    object.kind = FindKind(Text(members, "kind"));
    if (object.kind == nullptr) {
      std::vector<std::string> names;
      for (const PolicyKind& kind : PolicyKinds()) names.push_back(kind.name);
      return Problem(object.line,
                     absl::StrCat("kind: expected one of: ", absl::StrJoin(names, ", ")));
    }
    const auto metadata = members.find("metadata");
    if (metadata == members.end()) {
      return Problem(object.line, absl::StrCat(object.kind->name, ": metadata.name is required"));
    }
    object.name = Text(Members(metadata->second, "metadata", {"name"}), "name");
    if (out_.problems.size() != problems) return;
    if (!IsName(object.name)) {
      return Problem(LineOf(metadata->second),
                     absl::StrCat(object.kind->name, ": metadata.name: ", kExpectedName));
    }
    const auto spec = members.find("spec");
    if (spec == members.end()) return Add(object.Problem("spec is required"));
    ReadSecret(spec->second, object);
    ReadSpec(spec->second, object);
    if (out_.problems.size() == problems) out_.objects.push_back(std::move(object));
  }

  void Add(std::string problem) { out_.problems.push_back(std::move(problem)); }

  // Takes `secretFile` out of the target of a notification channel, and reads it.
  void ReadSecret(const YAML::Node& spec, PolicyObject& object) {
    if (object.kind->spec->GetDescriptor() != v1::NotificationChannel::descriptor()) return;
    for (const char* target : {"webhook", "email"}) {
      if (!spec.IsMap() || !spec[target] || !spec[target].IsMap()) continue;
      YAML::Node inside = spec[target];
      if (!inside[kSecretFile]) continue;
      const YAML::Node named = inside[kSecretFile];
      const std::string place = absl::StrCat("spec.", target, ".", kSecretFile);
      object.lines[place] = LineOf(named);
      // What is wrong with it is said here.
      inside.remove(kSecretFile);
      if (!named.IsScalar())
        return Add(object.Problem(absl::StrCat(target, ".", kSecretFile, ": expected a path")));
      auto secret = support::ReadKeyFile(fs::path(file_).parent_path() / named.Scalar(), true);
      if (!secret.ok()) {
        return Add(object.Problem(
            absl::StrCat(target, ".", kSecretFile, ": ", secret.status().message())));
      }
      object.secret = std::string(absl::StripAsciiWhitespace(*secret));
      if (object.secret.empty()) {
        return Add(object.Problem(
            absl::StrCat(target, ".", kSecretFile, ": \"", named.Scalar(), "\" is empty")));
      }
    }
  }

  void ReadSpec(const YAML::Node& spec, PolicyObject& object) {
    object.spec.reset(object.kind->spec->New());
    auto decoded = evaluate::DecodeYamlNode(spec, file_, "spec", *object.spec);
    object.lines.merge(decoded.lines);
    for (const std::string& problem : decoded.problems) Add(problem);
    if (!decoded.problems.empty()) return;
    std::vector<const FieldDescriptor*> fields;
    object.spec->GetReflection()->ListFields(*object.spec, &fields);
    const std::vector<std::string>& allowed = object.kind->members;
    for (const FieldDescriptor* field : fields) {
      if (std::find(allowed.begin(), allowed.end(), field->name()) != allowed.end()) continue;
      Add(object.Problem(absl::StrCat(field->name(), ": is not for files to give")));
    }
    const auto* channel = dynamic_cast<const v1::NotificationChannel*>(object.spec.get());
    if (channel == nullptr) return;
    for (const auto& [secret, place] : {std::pair(channel->webhook().secret(), "webhook.secret"),
                                        std::pair(channel->email().password(), "email.password")}) {
      if (secret.empty()) continue;
      Add(object.Problem(absl::StrCat(place,
                                      ": secrets stay out of files of policy; name a file "
                                      "that holds it: ",
                                      kSecretFile)));
    }
  }

  const std::string file_;
  PolicyFiles& out_;
};

// The files that a path of the command line means.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& path) {
  std::error_code error;
  if (path == "-" || !fs::is_directory(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (auto it = fs::recursive_directory_iterator(path, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const std::string extension = it->path().extension();
    std::error_code ignored;
    if ((extension == ".yaml" || extension == ".yml") && it->is_regular_file(ignored)) {
      files.push_back(it->path());
    }
    if (files.size() > kMostFiles) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kMostFiles, " files"));
    }
  }
  if (error) return absl::InvalidArgumentError(error.message());
  if (files.empty()) return absl::InvalidArgumentError("holds no file *.yaml or *.yml");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

const std::vector<PolicyKind>& PolicyKinds() {
  static const auto& kinds = *new std::vector<PolicyKind>{
      {"Selector", &v1::SavedSelector::default_instance(), {"expression", "description"}},
      {"Labels", &v1::SetHostLabelsRequest::default_instance(), {"selector", "set"}},
      {"Tailoring",
       &v1::Tailoring::default_instance(),
       {"baseline", "selector", "priority", "rules", "description"}},
      {"Waiver",
       &v1::Waiver::default_instance(),
       {"rules", "selector", "object_pattern", "reason", "owner", "ticket", "start_time",
        "expire_time", "bound_to_facts"}},
      {"Schedule",
       &v1::Schedule::default_instance(),
       {"cron", "time_zone", "selector", "jitter", "missed_runs", "timeout", "description",
        "paused"}},
      {"NotificationChannel",
       &v1::NotificationChannel::default_instance(),
       {"webhook", "email", "syslog", "kinds", "minimum_severity", "selector", "baselines",
        "window", "paused", "description"}},
  };
  return kinds;
}

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

std::string PolicyObject::Problem(absl::string_view what) const {
  const size_t end = what.find(':');
  int at = line;
  if (end != absl::string_view::npos && what.find(' ') > end) {
    std::string place = absl::StrCat("spec.", SnakeCase(what.substr(0, end)));
    // The innermost part of it that stands in the file.
    for (bool more = true; more;) {
      const auto found = std::find_if(lines.begin(), lines.end(), [&place](const auto& each) {
        return SnakeCase(each.first) == place;
      });
      if (found != lines.end()) {
        at = found->second;
        break;
      }
      const size_t cut = place.find_last_of(".[");
      more = cut != std::string::npos;
      if (more) place.resize(cut);
    }
  }
  return absl::StrCat(file, ":", at, ": ", kind->name, "/", name, ": ", what);
}

PolicyFiles ReadPolicy(const std::vector<std::string>& paths) {
  PolicyFiles files;
  for (const std::string& path : paths) {
    auto names = FilesOf(path);
    if (!names.ok()) {
      files.problems.push_back(absl::StrCat(path, ": ", names.status().message()));
      continue;
    }
    for (const std::string& name : *names) {
      auto text = ReadWhole(name, kMostMebibytes);
      if (text.ok()) {
        FileReader(name, files).Read(*text);
      } else {
        files.problems.push_back(std::string(text.status().message()));
      }
    }
  }
  if (files.objects.size() > kMostObjects) {
    files.problems.push_back(absl::StrCat("more than ", kMostObjects, " objects"));
  }
  std::map<std::pair<std::string, std::string>, const PolicyObject*> seen;
  for (const PolicyObject& object : files.objects) {
    const auto [first, is_new] = seen.try_emplace({object.kind->name, object.name}, &object);
    if (is_new) continue;
    files.problems.push_back(object.Problem(
        absl::StrCat("is in ", first->second->file, ":", first->second->line, " already")));
  }
  if (files.objects.empty() && files.problems.empty()) {
    files.problems.push_back("no object in these files");
  }
  return files;
}

}  // namespace plimsoll::cli
