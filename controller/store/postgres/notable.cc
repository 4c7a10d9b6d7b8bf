#include "controller/store/postgres/notable.h"

namespace plimsoll::store {
namespace {

constexpr Statement kNote = {
    "notable_note",
    "INSERT INTO notification_event (host_id, content, was_unknown, noted)"
    " SELECT host_id, substring($2::bytea FROM c_begin FOR c_size), was_unknown <> 0, noted"
    " FROM unnest($1::text[], $3::integer[], $4::integer[], $5::integer[], $6::timestamptz[])"
    " AS e(host_id, c_begin, c_size, was_unknown, noted)"
    " WHERE EXISTS (SELECT FROM notification_channel WHERE NOT paused)"};

}  // namespace

void NotableEvents::Note(const v1::NotificationEvent& event, absl::Time noted, bool was_unknown) {
  hosts_.push_back(event.host_id());
  contents_.Add(event.SerializeAsString());
  was_unknown_.push_back(was_unknown ? 1 : 0);
  noted_.push_back(Time(noted));
}

void NotableEvents::Write(Transaction& tx) const {
  if (hosts_.empty()) return;
  tx.Exec(kNote, TextArray(hosts_), contents_.all(), contents_.begins(), contents_.sizes(),
          IntArray(was_unknown_), TextArray(noted_));
}

}  // namespace plimsoll::store
