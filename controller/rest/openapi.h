// The API described for programs: OpenAPI 3.1.
#pragma once

#include <string>
#include <vector>

#include "controller/rest/route.h"

namespace plimsoll::rest {

// The document as JSON: a path for every method and plain route, parameters, bodies and answers as
// schemas made from the messages, with the protos' comments as descriptions. Equal tables give
// equal bytes.
std::string OpenApiDocument(const api::MethodTable& table, const std::vector<PlainRoute>& plain);

}  // namespace plimsoll::rest
