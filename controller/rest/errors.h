// The one form of every error.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "controller/rest/http_message.h"

namespace plimsoll::rest {

// {"error": {"code": 400, "status": "INVALID_ARGUMENT", "reason": "INVALID_FIELD",
//            "message": "...", "requestId": "...",
//            "fields": [{"field": "pageSize", "message": "..."}]}}
//
// For programs: `code` is the HTTP status, `status` the gRPC code's name, and `reason` says it more
// exactly where there is more to say (support::ReasonOf). `message` says what to do, for people;
// `fields` is there when single fields are to blame (proto/support/field_errors.h). What broke
// inside is logged with the request's id and not told. With 429 and 503 comes Retry-After, but not
// with the reason NOT_RECORDED: that change was made.
// `http_status`: where the code alone does not say it; 0: HttpStatusOf.
HttpResponse ErrorResponse(const absl::Status& status, const std::string& request_id,
                           int http_status = 0);

// The HTTP status of a code: 400, 401, 403, 404, 409, 412, 429, 499, 500, 501, 503, 504.
int HttpStatusOf(absl::StatusCode code);

}  // namespace plimsoll::rest
