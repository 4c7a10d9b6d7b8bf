#include "controller/rest/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace plimsoll::rest {
namespace {

std::string Unzip(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, ComesBack) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(100'000, 'a')}) {
    const auto packed = Gzip(text);
    ASSERT_TRUE(packed.ok());
    EXPECT_EQ(Unzip(*packed), text);
  }
  EXPECT_LT(Gzip(std::string(100'000, 'a'))->size(), 1000u);
}

TEST(TakesGzip, ReadsTheHeader) {
  for (const char* yes : {"gzip", "GZIP", "deflate, gzip", "gzip;q=0.5", " gzip ;q=1"}) {
    EXPECT_TRUE(TakesGzip(yes)) << yes;
  }
  for (const char* no : {"", "br", "gzip;q=0", "gzip;q=x", "xgzip", "identity"}) {
    EXPECT_FALSE(TakesGzip(no)) << no;
  }
}

}  // namespace
}  // namespace plimsoll::rest
