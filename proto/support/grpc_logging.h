// gRPC's own log lines, such as failed TLS handshakes, in our log.
#pragma once

namespace plimsoll::support {

// Sends what gRPC logs to spdlog's default logger: its errors as warnings, the rest as debug. Call
// once, before gRPC is used and after InitLogging.
void RouteGrpcLogs();

}  // namespace plimsoll::support
