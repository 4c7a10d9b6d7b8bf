#include "controller/cli/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/clock.h"
#include "proto/support/key_files.h"

namespace plimsoll::cli {

std::string CredentialsFile(const Session& session) {
  if (!session.credentials_file.empty()) return session.credentials_file;
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config != '\0') {
    return absl::StrCat(config, "/plimsoll/credentials.yaml");
  }
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "" : home, "/.config/plimsoll/credentials.yaml");
}

absl::Status SaveCredentials(const std::string& file, const Credentials& credentials) {
  // A name without a folder is in the current one.
  if (const size_t slash = file.rfind('/'); slash != std::string::npos && slash > 0) {
    if (auto status = support::MakePrivateDirectory(file.substr(0, slash)); !status.ok())
      return status;
  }
  YAML::Emitter yaml;
  yaml << YAML::BeginMap << YAML::Key << "server" << YAML::Value << credentials.server << YAML::Key
       << "token" << YAML::Value << credentials.token << YAML::Key << "ca" << YAML::Value
       << YAML::Literal << credentials.ca_pem << YAML::EndMap;
  return support::WritePrivateFile(file, absl::StrCat(yaml.c_str(), "\n"));
}

absl::Status RemoveCredentials(const std::string& file) {
  std::error_code error;
  std::filesystem::remove(file, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot remove ", file, ": ", error.message()));
}

absl::StatusOr<Credentials> LoadConnection(const Session& session) {
  Credentials credentials;
  const std::string file = CredentialsFile(session);
  auto text = support::ReadKeyFile(file, true);
  if (text.ok()) {
    try {
      const YAML::Node node = YAML::Load(*text);
      credentials.server = node["server"].as<std::string>("");
      credentials.token = node["token"].as<std::string>("");
      credentials.ca_pem = node["ca"].as<std::string>("");
    } catch (const YAML::Exception& error) {
      return absl::FailedPreconditionError(
          absl::StrCat(file, " is damaged; run `plimsoll login` again"));
    }
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  if (!session.server.empty()) credentials.server = session.server;
  if (!session.ca_file.empty()) {
    auto ca = support::ReadKeyFile(session.ca_file, false);
    if (!ca.ok()) return ca.status();
    credentials.ca_pem = *std::move(ca);
  }
  if (!session.token_file.empty()) {
    auto token = support::ReadKeyFile(session.token_file, true);
    if (!token.ok()) return token.status();
    credentials.token = std::string(absl::StripAsciiWhitespace(*token));
  }
  return credentials;
}

absl::StatusOr<Credentials> LoadCredentials(const Session& session) {
  auto credentials = LoadConnection(session);
  if (!credentials.ok()) return credentials;
  if (credentials->server.empty() || credentials->token.empty()) {
    return absl::FailedPreconditionError(
        "not logged in; run `plimsoll login --server HOST:PORT --ca FILE --user NAME`");
  }
  return credentials;
}

Client::Client(Credentials credentials) : credentials_(std::move(credentials)) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = credentials_.ca_pem;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(256 << 20);
  channel_ = grpc::CreateCustomChannel(credentials_.server, grpc::SslCredentials(tls), arguments);
}

void Client::Prepare(grpc::ClientContext& context, absl::Duration timeout) const {
  if (!credentials_.token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", credentials_.token));
  }
  context.set_deadline(absl::ToChronoTime(support::Clock::Real().Now() + timeout));
}

absl::Status Client::Explain(const grpc::ClientContext& context, const grpc::Status& status) const {
  const absl::Status converted = support::FromGrpc(status);
  if (!absl::IsUnavailable(converted) ||
      context.GetServerTrailingMetadata().count(support::kReasonKey) > 0) {
    return converted;
  }
  return absl::UnavailableError(absl::StrCat(
      "cannot reach the controller at ", credentials_.server, " (", converted.message(),
      "); is it running, and is --ca its certificate authority?"));
}

void WithClient(Session& session, const std::function<absl::Status(Client&)>& body) {
  auto credentials = LoadCredentials(session);
  if (!credentials.ok()) {
    session.Fail(credentials.status());
    return;
  }
  Client client(*std::move(credentials));
  if (auto status = body(client); !status.ok()) session.Fail(status);
}

}  // namespace plimsoll::cli
