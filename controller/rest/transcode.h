// Between HTTP requests and the API's messages.
#pragma once

#include <google/protobuf/message.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/rest/http_message.h"

namespace plimsoll::rest {

// Fills `message` from the variables of the path, then the parameters of the query (GET and DELETE)
// or the body (other methods: JSON of the whole message, or of its field `body_field` when that is
// not empty; its other fields may then stand in the query). A path names a field, "schedule.id" one
// of a message inside.
//
// Parameters are named like JSON fields ("pageSize") or proto fields ("page_size"), repeated for
// repeated fields, with "labels.KEY=VALUE" for maps and "a.b=..." for messages inside; enums by
// name or number, times and durations as in JSON; nothing that is not repeated is given twice. What
// the path sets, a query may not set again; in a body it is overwritten. INVALID_ARGUMENT names the
// field (proto/support/field_errors.h). Pure.
absl::Status DecodeRequest(const HttpRequest& request,
                           const std::map<std::string, std::string>& path_variables,
                           const std::string& body_field, google::protobuf::Message& message);

// Whether messages of this type are one value in JSON: times and durations.
bool IsJsonScalar(const google::protobuf::Descriptor& type);

// `message` as the API's JSON: fields in lowerCamelCase, those without presence left out when they
// have their default, 64-bit numbers as strings. INTERNAL: cannot be written.
absl::StatusOr<std::string> EncodeJson(const google::protobuf::Message& message);

}  // namespace plimsoll::rest
