// Log lines of gRPC, such as failed TLS handshakes, and of protobuf, in our log.
#pragma once

namespace plimsoll::support {

// Sends what they log to spdlog's default logger: errors of gRPC as warnings, the rest as debug.
// Call once, before gRPC is used and after InitLogging.
void RouteGrpcLogs();

}  // namespace plimsoll::support
