#include "collector/host/json.h"

#include <gtest/gtest.h>

#include <string>

namespace plimsoll::host {
namespace {

using Presence = JsonObject::Presence;

JsonDocument Parse(const std::string& text) {
  auto document = JsonDocument::Parse(text);
  EXPECT_TRUE(document.ok()) << document.status();
  return *std::move(document);
}

TEST(JsonDocument, RefusesWhatIsNotJson) {
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{\"a\":1}x"), std::string("{'a':1}"),
        std::string("HTTP/1.1 200 OK"), deep, std::string("{\"a\":MARKER}")}) {
    const auto document = JsonDocument::Parse(text);
    EXPECT_EQ(document.status().code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_EQ(document.status().message().find("MARKER"), absl::string_view::npos);
  }
}

TEST(JsonDocument, LetsInvalidUtf8Through) {
  JsonErrors errors;
  const JsonDocument document = Parse("{\"Name\":\"a\xff\"}");
  EXPECT_EQ(std::string(document.Object(errors).String("Name")), "a\xff");
}

TEST(JsonObject, TellsAbsentNullAndZeroApart) {
  JsonErrors errors;
  const JsonDocument document = Parse(R"({"null":null,"zero":0,"no":false,"empty":""})");
  const JsonObject object = document.Object(errors);
  EXPECT_EQ(object.Has("absent"), Presence::kAbsent);
  EXPECT_EQ(object.Has("null"), Presence::kNull);
  EXPECT_EQ(object.Has("zero"), Presence::kPresent);
  EXPECT_EQ(object.Int("absent"), std::nullopt);
  EXPECT_EQ(object.Int("null"), std::nullopt);
  EXPECT_EQ(object.Int("zero"), 0);
  EXPECT_EQ(object.Bool("null"), std::nullopt);
  EXPECT_EQ(object.Bool("no"), false);
  EXPECT_EQ(object.String("null"), "");
  EXPECT_FALSE(object.Object("null").exists());
  EXPECT_TRUE(object.Strings("null").empty());
  EXPECT_TRUE(errors.status().ok()) << errors.status();
}

TEST(JsonObject, WrongTypesAreSurprisesThatNameTheField) {
  const std::string text =
      R"({"s":1,"b":"true","i":1.5,"big":9223372036854775808,"o":[],"a":{},"l":[1],"n":-1})";
  const struct {
    const char* field;
    void (*read)(const JsonObject&);
  } kCases[] = {
      {"s", [](const JsonObject& o) { o.String("s"); }},
      {"b", [](const JsonObject& o) { o.Bool("b"); }},
      {"i", [](const JsonObject& o) { o.Int("i"); }},
      {"big", [](const JsonObject& o) { o.Int("big"); }},
      {"n", [](const JsonObject& o) { o.Uint("n"); }},
      {"o", [](const JsonObject& o) { o.Object("o"); }},
      {"a", [](const JsonObject& o) { o.Objects("a"); }},
      {"a", [](const JsonObject& o) { o.Strings("a"); }},
      {"l", [](const JsonObject& o) { o.Strings("l"); }},
      {"l[0]", [](const JsonObject& o) { o.Objects("l"); }},
      {"l", [](const JsonObject& o) { o.StringLists("l"); }},
      {"missing", [](const JsonObject& o) { o.RequiredObject("missing"); }},
  };
  const JsonDocument document = Parse(text);
  for (const auto& c : kCases) {
    JsonErrors errors;
    c.read(document.Object(errors));
    EXPECT_EQ(errors.status().code(), absl::StatusCode::kDataLoss) << c.field;
    EXPECT_EQ(std::string(errors.status().message()).find(std::string(c.field) + ": expected"), 0u)
        << errors.status();
  }
}

TEST(JsonObject, TheFirstSurpriseStaysWithItsPath) {
  JsonErrors errors;
  const JsonDocument document = Parse(R"({"a":{"b":[{"c":"x"},{"c":2}]},"d":1})");
  const JsonObject object = document.Object(errors);
  for (const JsonObject& element : object.Object("a").Objects("b")) element.String("c");
  object.String("d");
  EXPECT_EQ(errors.status().message(), "a.b[1].c: expected a string, got a number");
}

TEST(JsonObject, ReadsMembersAndLists) {
  JsonErrors errors;
  const JsonDocument document =
      Parse(R"({"m":{"x":"1","y":null,"z":"3"},"p":[["a","b"],[]],"u":18446744073709551615})");
  const JsonObject object = document.Object(errors);
  const auto members = object.Object("m").StringMembers();
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[1].first, "z");
  EXPECT_EQ(object.Object("m").Keys().size(), 3u);
  const auto pairs = object.StringLists("p");
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0][1], "b");
  EXPECT_EQ(object.Uint("u"), 18446744073709551615u);
  EXPECT_TRUE(errors.status().ok());
}

TEST(JsonDocument, AnArrayOfObjectsMayBeNullButNothingElse) {
  JsonErrors errors;
  EXPECT_TRUE(Parse("null").Objects(errors).empty());
  EXPECT_TRUE(errors.status().ok());
  EXPECT_TRUE(Parse("{}").Objects(errors).empty());
  EXPECT_FALSE(errors.status().ok());
  JsonErrors others;
  EXPECT_FALSE(Parse("[]").Object(others).exists());
  EXPECT_FALSE(others.status().ok());
}

TEST(ReadTopLevelBool, FindsOnlyTheTopLevelKey) {
  const struct {
    const char* text;
    std::optional<bool> value;
  } kCases[] = {
      {R"({"NoNewPrivileges":true})", true},
      {R"({"A":{"NoNewPrivileges":true},"NoNewPrivileges":false,"B":[true]})", false},
      {R"({"A":{"NoNewPrivileges":true}})", std::nullopt},
      {R"({"NoNewPrivileges":null})", std::nullopt},
      {R"({"NoNewPrivilegesX":true,"xNoNewPrivileges":true})", std::nullopt},
      {R"({"NoNewPrivileges":false,"NoNewPrivileges":true})", true},
      {R"({"Env":["NoNewPrivileges"],"v":"NoNewPrivileges"})", std::nullopt},
      {"{}", std::nullopt},
  };
  for (const auto& c : kCases) {
    const auto value = ReadTopLevelBool(c.text, "NoNewPrivileges");
    ASSERT_TRUE(value.ok()) << c.text << value.status();
    EXPECT_EQ(*value, c.value) << c.text;
  }
}

TEST(ReadTopLevelBool, RefusesOtherTextAndTypes) {
  for (const char* text : {"", "{", "[true]", "true", R"({"K":"true"})", R"({"K":1})",
                           R"({"K":{}})", R"({"K":[true]})", R"({"K":true} x)"}) {
    EXPECT_EQ(ReadTopLevelBool(text, "K").status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

}  // namespace
}  // namespace plimsoll::host
