#include "proto/support/grpc_logging.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include "proto/support/logging.h"

namespace plimsoll::support {

void RouteGrpcLogs() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_INFO);
  gpr_set_log_function([](gpr_log_func_args* args) {
    const auto level =
        args->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn : spdlog::level::debug;
    spdlog::log(level, "grpc: {}", LogSafe(args->message));
  });
  // Of what others send, which whoever reads it refuses and says so.
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel, const char*, int, const std::string& message) {
        spdlog::debug("protobuf: {}", LogSafe(message));
      });
}

}  // namespace plimsoll::support
