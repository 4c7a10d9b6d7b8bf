// The API's description as a page for people.
#pragma once

#include <string>

#include "controller/rest/http_message.h"

namespace plimsoll::rest {

// One page without scripts, made from an OpenAPI document of ours: every operation with its
// parameters, body and answer, and every schema. Works in a browser without network, at any width.
HttpResponse DocsPage(const std::string& openapi);

}  // namespace plimsoll::rest
