#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/role_names.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/token_store.h"

namespace plimsoll::store {
namespace {

// A name is free again once its token has expired.
constexpr Statement kRetire = {
    "tokens_retire",
    "UPDATE token SET revoked = true WHERE name = $1 AND NOT revoked AND expires <= $2"};
constexpr Statement kCreate = {
    "tokens_create",
    "INSERT INTO token (id, name, role, secret_hash, created, expires, scope, description,"
    " created_by, creator_id)"
    " VALUES ($1, $2, $3, $4, $5, NULLIF($6, '')::timestamptz, $7, $8, $9, $10)"};
// Whoever ends somebody's access has the account locked, and revokes tokens that are there: a token
// is made before that, or finds out.
constexpr Statement kLockMaker = {"tokens_lock_maker",
                                  "SELECT FROM account WHERE id = $1 FOR SHARE"};
constexpr Statement kInForce = {"tokens_in_force",
                                "SELECT EXISTS (SELECT FROM session WHERE id = $1)"
                                " OR EXISTS (SELECT FROM token WHERE id = $1 AND NOT revoked)"};
constexpr Statement kFind = {
    "tokens_find",
    "SELECT t.id, t.name, t.role, t.revoked,"
    " t.expires IS NOT NULL AND t.expires <= $2::timestamptz, t.scope,"
    " t.creator_id <> '' AND coalesce(a.disabled, true), t.creator_id, micros(t.expires)"
    " FROM token t LEFT JOIN account a ON a.id = t.creator_id WHERE t.secret_hash = $1"};
constexpr Statement kRevoke = {"tokens_revoke", "UPDATE token SET revoked = true WHERE id = $1"};
constexpr Statement kAny = {"tokens_any", "SELECT EXISTS (SELECT FROM token)"};
constexpr Statement kCreator = {"tokens_creator", "SELECT creator_id FROM token WHERE id = $1"};
#define PLIMSOLL_TOKEN_COLUMNS                                                               \
  "SELECT id, name, role, scope, description, micros(created), micros(expires), created_by," \
  " micros(last_used), last_peer, revoked FROM token "
constexpr Statement kGet = {
    "tokens_get", PLIMSOLL_TOKEN_COLUMNS
    "WHERE id = $1 OR (name = $1 AND NOT revoked) ORDER BY id <> $1 LIMIT 1"};
constexpr Statement kList = {
    "tokens_list", PLIMSOLL_TOKEN_COLUMNS
    "WHERE (created, id) < ($1::timestamptz, $2) AND ($3 = '' OR creator_id = $3)"
    " AND ($4 OR NOT (revoked OR coalesce(expires <= $5::timestamptz, false)))"
    " ORDER BY created DESC, id DESC LIMIT $6"};
#undef PLIMSOLL_TOKEN_COLUMNS
constexpr Statement kTouch = {
    "tokens_touch",
    "UPDATE token SET last_used = used.time, last_peer = used.peer"
    " FROM (SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS u(id, time, peer)"
    "  ORDER BY id) used"
    " WHERE token.id = used.id AND (last_used IS NULL OR last_used < used.time)"};
constexpr Statement kAddPeer = {"tokens_add_peer",
                                "UPDATE token SET peers = peers || $2::text WHERE id = $1"
                                " AND NOT $2 = ANY(peers) AND cardinality(peers) < 32"};

v1::ApiToken TokenOf(const pqxx::row& row) {
  v1::ApiToken token;
  token.set_id(TextOf(row[0]));
  token.set_name(TextOf(row[1]));
  if (const RoleRow* role = FindRole(TextOf(row[2])); role != nullptr) token.set_role(role->proto);
  token.set_scope(TextOf(row[3]));
  token.set_description(TextOf(row[4]));
  *token.mutable_create_time() = TimestampOf(TimeOf(row[5]));
  if (!row[6].is_null()) *token.mutable_expire_time() = TimestampOf(TimeOf(row[6]));
  token.set_created_by(TextOf(row[7]));
  if (!row[8].is_null()) *token.mutable_last_used_time() = TimestampOf(TimeOf(row[8]));
  token.set_last_peer(TextOf(row[9]));
  token.set_revoked(row[10].as<bool>());
  return token;
}

absl::Status NoSuchToken(const std::string& token) {
  return absl::NotFoundError(absl::StrCat("no token \"", Text(token, 256), "\""));
}

}  // namespace

absl::Status TokenStore::Create(const Principal& principal, const std::string& secret_hash,
                                absl::Time now, std::optional<absl::Time> expires,
                                const TokenOrigin& origin) {
  absl::Status status = pool_.Transact("create a token", [&](Transaction& tx) -> absl::Status {
    if (!origin.creator_id.empty()) {
      tx.Exec(kLockMaker, origin.creator_id);
      if (!tx.Exec(kInForce, origin.credential)[0][0].as<bool>()) {
        return absl::UnauthenticatedError("your access has ended meanwhile; sign in again");
      }
    }
    tx.Exec(kRetire, Text(principal.name), Time(now));
    tx.Exec(kCreate, principal.token_id, Text(principal.name), NameOf(principal.role), secret_hash,
            Time(now), expires.has_value() ? Time(*expires) : "", Text(principal.scope),
            Text(origin.description), Text(origin.created_by), origin.creator_id);
    return absl::OkStatus();
  });
  if (absl::IsAlreadyExists(status)) {
    return absl::AlreadyExistsError(
        absl::StrCat("a token named \"", Text(principal.name, 256), "\" exists"));
  }
  return status;
}

absl::StatusOr<Principal> TokenStore::Find(const std::string& secret_hash, absl::Time now) {
  return pool_.Transact("find a token", [&](Transaction& tx) -> absl::StatusOr<Principal> {
    const pqxx::result rows = tx.Exec(kFind, secret_hash, Time(now));
    if (rows.empty()) return absl::UnauthenticatedError("token unknown");
    const pqxx::row row = rows[0];
    if (row[3].as<bool>()) return absl::UnauthenticatedError("token revoked");
    if (row[4].as<bool>()) return absl::UnauthenticatedError("token expired");
    if (row[6].as<bool>()) return absl::UnauthenticatedError("the token's maker is disabled");
    const RoleRow* role = FindRole(TextOf(row[2]));
    if (role == nullptr) {
      return absl::InternalError("token has a role that this program does not know");
    }
    Principal principal;
    principal.token_id = TextOf(row[0]);
    principal.name = TextOf(row[1]);
    principal.role = role->role;
    principal.scope = TextOf(row[5]);
    principal.maker_id = TextOf(row[7]);
    if (!row[8].is_null()) principal.expires = TimeOf(row[8]);
    return principal;
  });
}

absl::StatusOr<v1::ApiToken> TokenStore::Get(const std::string& id_or_name) {
  return pool_.Transact("get a token", [&](Transaction& tx) -> absl::StatusOr<v1::ApiToken> {
    const pqxx::result rows = tx.Exec(kGet, Text(id_or_name, 256));
    if (rows.empty()) return NoSuchToken(id_or_name);
    return TokenOf(rows[0]);
  });
}

absl::StatusOr<std::string> TokenStore::CreatorOf(const std::string& token_id) {
  return pool_.Transact("find a token's maker",
                        [&](Transaction& tx) -> absl::StatusOr<std::string> {
                          const pqxx::result rows = tx.Exec(kCreator, Text(token_id, 256));
                          if (rows.empty()) return NoSuchToken(token_id);
                          return TextOf(rows[0][0]);
                        });
}

absl::StatusOr<TokenPage> TokenStore::List(const TokenQuery& query, absl::Time now) {
  absl::Time before = absl::InfiniteFuture();
  std::string before_id;
  if (!query.after.empty()) {
    const std::pair<absl::string_view, absl::string_view> position =
        absl::StrSplit(query.after, absl::MaxSplits(' ', 1));
    int64_t micros = 0;
    if (!absl::SimpleAtoi(position.first, &micros) || position.second.empty()) {
      return absl::InvalidArgumentError("not a position in a list of tokens");
    }
    before = absl::FromUnixMicros(micros);
    before_id = std::string(position.second);
  }
  return pool_.Transact("list tokens", [&](Transaction& tx) -> absl::StatusOr<TokenPage> {
    TokenPage page;
    // One more than asked tells whether there is a next page.
    for (const pqxx::row& row :
         tx.ExecPlanned(kList, Time(before), Text(before_id), query.creator_id, query.include_dead,
                        Time(now), query.limit + 1)) {
      page.tokens.push_back(TokenOf(row));
    }
    if (page.tokens.size() > static_cast<size_t>(query.limit)) {
      page.tokens.pop_back();
      const v1::ApiToken& last = page.tokens.back();
      page.next = absl::StrCat(absl::ToUnixMicros(TimeOf(last.create_time())), " ", last.id());
    }
    return page;
  });
}

absl::Status TokenStore::Revoke(const std::string& token_id) {
  return pool_.Transact("revoke a token", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kRevoke, Text(token_id)).affected_rows() == 0) return NoSuchToken(token_id);
    AnnounceAccess(tx, {token_id});
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> TokenStore::AnyExists() {
  return pool_.Transact("look for tokens", [](Transaction& tx) -> absl::StatusOr<bool> {
    return tx.Exec(kAny)[0][0].as<bool>();
  });
}

absl::Status TokenStore::Touch(const std::map<std::string, TokenUse>& uses) {
  if (uses.empty()) return absl::OkStatus();
  std::vector<std::string> ids, times, peers;
  for (const auto& [id, use] : uses) {
    ids.push_back(id);
    times.push_back(Time(use.time));
    peers.push_back(Text(use.peer, 256));
  }
  return pool_.Transact("note the use of tokens", [&](Transaction& tx) {
    tx.Exec(kTouch, TextArray(ids), TextArray(times), TextArray(peers));
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> TokenStore::AddPeer(const std::string& token_id, const std::string& peer) {
  return pool_.Transact("note a token's address", [&](Transaction& tx) -> absl::StatusOr<bool> {
    return tx.Exec(kAddPeer, token_id, Text(peer, 256)).affected_rows() > 0;
  });
}

}  // namespace plimsoll::store
