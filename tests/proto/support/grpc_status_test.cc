#include "proto/support/grpc_status.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "proto/support/utf8.h"

namespace plimsoll::support {
namespace {

TEST(GrpcStatus, IsTheSameInBothTypes) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_EQ(FromGrpc(ToGrpc(absl::NotFoundError("no host"))), absl::NotFoundError("no host"));
  EXPECT_FALSE(
      absl::StrContains(ToGrpc(absl::InternalError("column secret")).error_message(), "secret"));
}

TEST(GrpcStatus, CutsLongMessagesBetweenCharacters) {
  EXPECT_EQ(ToGrpc(absl::NotFoundError(std::string(2048, 'x'))).error_message(),
            std::string(2048, 'x'));
  for (size_t before = 2040; before <= 2049; ++before) {
    const std::string message = std::string(before, 'x') + "ä€😀" + std::string(10'000, 'y');
    const std::string cut = ToGrpc(absl::NotFoundError(message)).error_message();
    EXPECT_LE(cut.size(), 2048 + 10u);
    EXPECT_TRUE(absl::EndsWith(cut, " … (cut)")) << cut;
    EXPECT_TRUE(IsPlainUtf8(cut)) << before;
  }
  // Bytes that are no text: nothing breaks.
  EXPECT_EQ(CutMessage(std::string(5000, '\x80')), " … (cut)");
}

}  // namespace
}  // namespace plimsoll::support
