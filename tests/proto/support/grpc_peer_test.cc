#include "proto/support/grpc_peer.h"

#include <gtest/gtest.h>

namespace plimsoll::support {
namespace {

TEST(GrpcPeer, IsAnAddressWithoutItsPort) {
  EXPECT_EQ(AddressOf("ipv4:10.0.0.1:4711"), "10.0.0.1");
  EXPECT_EQ(AddressOf("ipv6:%5B::1%5D:4711"), "::1");
  EXPECT_EQ(AddressOf("ipv6:[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(AddressOf("unix:/run/x.sock"), "unix:/run/x.sock");
  EXPECT_EQ(AddressOf("ipv4:"), "ipv4:");
  EXPECT_EQ(AddressOf(""), "");
}

}  // namespace
}  // namespace plimsoll::support
