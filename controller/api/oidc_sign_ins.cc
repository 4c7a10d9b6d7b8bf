#include "controller/api/oidc_sign_ins.h"

#include <openssl/crypto.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/access/tokens.h"
#include "controller/api/requests.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

constexpr absl::Duration kCodeLifetime = absl::Minutes(1);
constexpr size_t kLongestPath = 1024;
constexpr size_t kLongestCode = 4096;
constexpr size_t kLongestPlainName = 56;
// People of one name at most.
constexpr int kMostNames = 100;
constexpr char kAction[] = "OidcSignIn";
// What is sealed for one purpose is never taken for another.
constexpr absl::string_view kPending = "pending sign-in\n";
constexpr absl::string_view kCode = "sign-in code\n";

template <class Message>
std::string Seal(const access::SecretBox& box, absl::string_view purpose, const Message& message) {
  return absl::WebSafeBase64Escape(box.Seal(absl::StrCat(purpose, message.SerializeAsString())));
}

// Nothing: not sealed here for this purpose, or past its end.
template <class Message>
std::optional<Message> Open(const access::SecretBox& box, absl::string_view purpose,
                            const std::string& text, absl::Time now) {
  std::string sealed;
  Message message;
  if (text.size() > kLongestCode || !absl::WebSafeBase64Unescape(text, &sealed)) {
    return std::nullopt;
  }
  const auto plain = box.Open(sealed);
  if (!plain.ok() || !absl::StartsWith(*plain, purpose) ||
      !message.ParseFromString(plain->substr(purpose.size())) ||
      absl::FromUnixSeconds(message.expire_time_s()) <= now) {
    return std::nullopt;
  }
  return message;
}

bool Equal(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// A path of this server and nothing that a browser would take for another one ("//host", "/\host").
absl::Status CheckPath(absl::string_view path) {
  const bool plain = std::all_of(path.begin(), path.end(),
                                 [](char c) { return c > ' ' && c < '\x7f' && c != '\\'; });
  if (plain && path.size() <= kLongestPath && absl::StartsWith(path, "/") &&
      !absl::StartsWith(path, "//")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "return_to: expected a path on this controller, beginning with one /");
}

// As base64url of 32 bytes.
bool IsChallenge(absl::string_view text) {
  return text.size() == 43 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_';
         });
}

bool IsVerifier(absl::string_view text) {
  return text.size() >= 43 && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isalnum(c) || absl::StrContains("-._~", c); });
}

// What a user can be called, of what the provider calls a person: "Ann.Smith@example.com" is
// ann.smith.
std::string PlainName(absl::string_view name) {
  std::string plain;
  for (const char c : absl::AsciiStrToLower(name.substr(0, name.find('@')))) {
    const bool good = absl::ascii_islower(c) || absl::ascii_isdigit(c) ||
                      (!plain.empty() && absl::StrContains("._-", c));
    if (good) {
      plain += c;
    } else if (!plain.empty()) {
      plain += '-';
    }
    if (plain.size() == kLongestPlainName) break;
  }
  return plain.empty() ? "user" : plain;
}

absl::Status Late() {
  return absl::UnauthenticatedError(
      "this sign-in was not begun in this browser, or more than 10 minutes ago; sign in again");
}

}  // namespace

absl::StatusOr<v1::SignInMethods> OidcSignIns::GetMethods(const store::Principal&,
                                                          const v1::GetSignInMethodsRequest&) {
  v1::SignInMethods methods;
  if (provider_ == nullptr) return methods;
  methods.set_identity_provider(provider_->options().issuer);
  methods.set_start_url(provider_->options().public_url + "/v1/oidc/start");
  return methods;
}

absl::StatusOr<BegunSignIn> OidcSignIns::Start(const SignInWish& wish) {
  v1::PendingSignIn pending;
  pending.set_return_to(wish.return_to.empty() ? "/" : wish.return_to);
  if (auto status = CheckPath(pending.return_to()); !status.ok()) return status;
  if (!wish.cli_port.empty() || !wish.cli_challenge.empty()) {
    int32_t port = 0;
    if (!absl::SimpleAtoi(wish.cli_port, &port) || port < 1024 || port > 65535) {
      return absl::InvalidArgumentError("cli_port: expected a port from 1024 to 65535");
    }
    if (!IsChallenge(wish.cli_challenge)) {
      return absl::InvalidArgumentError("cli_challenge: expected 43 characters of base64url");
    }
    pending.set_cli_port(port);
    pending.set_cli_challenge(wish.cli_challenge);
  }
  const access::SignInSecrets secrets{access::NewSecret(""), access::NewSecret(""),
                                      access::NewSecret("")};
  auto url = provider_->SignInUrl(secrets);
  if (!url.ok()) return url.status();
  pending.set_state(secrets.state);
  pending.set_nonce(secrets.nonce);
  pending.set_verifier(secrets.verifier);
  pending.set_expire_time_s(absl::ToUnixSeconds(parts_.clock.Now() + kSignInPatience));
  return BegunSignIn{*std::move(url), Seal(box_, kPending, pending)};
}

absl::StatusOr<v1::PendingSignIn> OidcSignIns::OpenPending(const std::string& sealed,
                                                           const ProviderAnswer& answer) const {
  auto pending = Open<v1::PendingSignIn>(box_, kPending, sealed, parts_.clock.Now());
  if (!pending.has_value() || !Equal(pending->state(), answer.state)) return Late();
  if (!answer.issuer.empty() && answer.issuer != provider_->options().issuer) {
    return absl::UnauthenticatedError("another identity provider answered than was asked");
  }
  if (!answer.error.empty()) {
    return absl::UnauthenticatedError(absl::StrCat("the identity provider refused: ",
                                                   absl::CHexEscape(answer.error.substr(0, 64))));
  }
  if (answer.code.empty() || answer.code.size() > kLongestCode) {
    return absl::UnauthenticatedError("the identity provider sent no code");
  }
  return *std::move(pending);
}

absl::StatusOr<v1::User> OidcSignIns::PutUser(v1::User wanted, const std::string& name) {
  for (int i = 1; i <= kMostNames; ++i) {
    auto known = parts_.store.users().RefreshExternal(wanted);
    if (!absl::IsNotFound(known.status())) {
      // What the user may do has changed perhaps.
      parts_.authenticator.ForgetAll();
      return known;
    }
    wanted.set_id(NewId("u-"));
    wanted.set_name(i == 1 ? name : absl::StrCat(name, "-", i));
    const absl::Status made = parts_.store.users().Create(wanted, "");
    if (made.ok()) {
      spdlog::info("user created user={} role={} by={}", wanted.name(),
                   v1::Role_Name(wanted.role()), wanted.identity_provider());
      return wanted;
    }
    // The name is taken, or the same person signs in twice at once.
    if (!absl::IsAlreadyExists(made)) return made;
  }
  return absl::ResourceExhaustedError(absl::StrCat("too many users are called ", name));
}

absl::StatusOr<v1::User> OidcSignIns::Admit(const access::ExternalPerson& person,
                                            store::Principal& who) {
  const access::OidcOptions& options = provider_->options();
  const std::string name = PlainName(person.name);
  who.name = name;
  const access::GroupRole* role = access::RoleOf(options, person.groups);
  if (role == nullptr) {
    // Who had one before has it no more.
    const absl::Status ended = parts_.store.users().EndExternal(options.issuer, person.subject);
    parts_.authenticator.ForgetAll();
    if (!ended.ok()) return ended;
    return absl::PermissionDeniedError(
        "none of your groups at the identity provider may use Plimsoll; an administrator sets "
        "--oidc-role");
  }
  v1::User wanted;
  wanted.set_role(ToProto(role->role));
  wanted.set_scope(role->scope);
  wanted.set_identity_provider(options.issuer);
  wanted.set_subject(person.subject);
  *wanted.mutable_create_time() = support::ToTimestamp(parts_.clock.Now());
  wanted.set_created_by(options.issuer);
  auto user = PutUser(std::move(wanted), name);
  if (!user.ok()) return user;
  who.kind = store::CallerKind::kUser;
  who.user_id = user->id();
  who.name = user->name();
  if (user->disabled()) return absl::PermissionDeniedError("this user is disabled");
  return user;
}

absl::StatusOr<FinishedSignIn> OidcSignIns::Finish(const store::Principal& nobody,
                                                   const std::string& sealed,
                                                   const ProviderAnswer& answer) {
  store::Principal who = nobody;
  const auto finish = [&]() -> absl::StatusOr<FinishedSignIn> {
    const auto pending = OpenPending(sealed, answer);
    if (!pending.ok()) return pending.status();
    const auto person =
        provider_->Redeem(answer.code, {pending->state(), pending->nonce(), pending->verifier()});
    if (!person.ok()) return person.status();
    const auto user = Admit(*person, who);
    if (!user.ok()) return user.status();
    FinishedSignIn finished;
    if (pending->cli_port() == 0) {
      auto session = sign_ins_.Begin({*user, ""}, nobody.peer, nobody.user_agent);
      if (!session.ok()) return session.status();
      finished.location = pending->return_to();
      finished.session = *std::move(session);
      return finished;
    }
    v1::SignInCode code;
    code.set_user_id(user->id());
    code.set_cli_challenge(pending->cli_challenge());
    code.set_expire_time_s(absl::ToUnixSeconds(parts_.clock.Now() + kCodeLifetime));
    finished.location =
        absl::StrCat("http://127.0.0.1:", pending->cli_port(), "/?code=", Seal(box_, kCode, code));
    return finished;
  };
  auto finished = finish();
  v1::Activity entry = access::ActivityBy(
      who, kAction, who.user_id.empty() ? "" : absl::StrCat("users/", who.user_id),
      finished.status());
  if (finished.ok()) {
    (void)log_.Record(std::move(entry));
  } else if (absl::IsUnauthenticated(finished.status()) ||
             absl::IsPermissionDenied(finished.status())) {
    log_.Note(std::move(entry));
  }
  return finished;
}

absl::StatusOr<v1::SignInResponse> OidcSignIns::Redeem(const store::Principal& nobody,
                                                       const v1::RedeemSignInCodeRequest& request) {
  if (provider_ == nullptr) {
    return absl::FailedPreconditionError(
        "no identity provider is set here; sign in with --user NAME");
  }
  if (!IsVerifier(request.verifier_secret())) {
    return absl::InvalidArgumentError("verifier_secret: expected 43 to 128 of [A-Za-z0-9._~-]");
  }
  const absl::Status refused =
      absl::UnauthenticatedError("the code is not valid (any more); sign in again");
  const auto code = Open<v1::SignInCode>(box_, kCode, request.code_secret(), parts_.clock.Now());
  if (!code.has_value() ||
      !Equal(code->cli_challenge(), access::ChallengeOf(request.verifier_secret()))) {
    return refused;
  }
  const auto user = parts_.store.users().Get(code->user_id());
  if (absl::IsNotFound(user.status())) return refused;
  if (!user.ok()) return user.status();
  if (user->user.disabled()) return refused;
  // A code is good for one session, whichever controller it is brought to.
  auto session = sign_ins_.Begin(*user, nobody.peer, nobody.user_agent, *code);
  return absl::IsAlreadyExists(session.status()) ? refused : std::move(session);
}

}  // namespace plimsoll::api
