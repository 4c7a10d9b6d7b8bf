#include "controller/cli/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "absl/strings/match.h"

namespace plimsoll::cli {
namespace {

TEST(Printable, EscapesWhatATerminalActsUpon) {
  const struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"", ""},
      {"web-1", "web-1"},
      {"Grüße, 東京 🚢", "Grüße, 東京 🚢"},
      {"a\x1b[2Jb", "a\\x1b[2Jb"},
      {"a\tb\r\nc\x07\x08", "a\\x09b\\x0d\\x0ac\\x07\\x08"},
      {"\x7f", "\\x7f"},
      // C1: a one-byte CSI on some terminals.
      {"\xc2\x9b[31m", "\\x9b[31m"},
      {"\xc2\x85", "\\x85"},
      // Soft hyphen, zero width space, right-to-left mark, override, isolate, byte order mark,
      // tags.
      {"a\xc2\xad", "a\\xad"},
      {"a\xe2\x80\x8b", "a\\u{200b}"},
      {"\xe2\x80\x8f", "\\u{200f}"},
      {"nginx\xe2\x80\xaegnp", "nginx\\u{202e}gnp"},
      {"\xe2\x81\xa6x\xe2\x81\xa9", "\\u{2066}x\\u{2069}"},
      {"\xd8\x9c", "\\u{61c}"},
      {"\xe2\x80\xa8", "\\u{2028}"},
      {"\xef\xbb\xbf", "\\u{feff}"},
      {"\xf3\xa0\x81\x81", "\\u{e0041}"},
      // Invalid UTF-8: a lone byte, a cut character, an overlong slash, a surrogate, too large.
      {"a\xff", "a\xef\xbf\xbd"},
      {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (const auto& c : cases) EXPECT_EQ(Printable(c.text), c.expected) << c.text;
  EXPECT_EQ(Printable(absl::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, OfAnyTwoBytesIsHarmlessAndStaysSo) {
  for (int i = 0; i < 0x10000; ++i) {
    const char bytes[] = {'<', static_cast<char>(i >> 8), static_cast<char>(i), '>'};
    const std::string safe = Printable(absl::string_view(bytes, sizeof bytes));
    ASSERT_EQ(Printable(safe), safe) << i;
    for (const char c : safe) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) << i;
    ASSERT_EQ(safe.back(), '>') << i;
  }
}

TEST(Printable, CutsLongTextAtACharacter) {
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdefg", 6), "abcdef…");
  EXPECT_EQ(Printable("ééé", 3), "éé…");
}

TEST(PrintableJson, EscapesTheSameAndMeansTheSame) {
  EXPECT_EQ(PrintableJson("{\n \"a\": \"ü 🚢\"\n}\n"), "{\n \"a\": \"ü 🚢\"\n}\n");
  EXPECT_EQ(PrintableJson("\"\xe2\x81\xa6\xc2\x9b\xf3\xa0\x81\x81\""),
            "\"\\u2066\\u009b\\udb40\\udc41\"");
  EXPECT_EQ(PrintableJson("\xff"), "\xef\xbf\xbd");
}

TEST(DisplayWidth, CountsCharactersAndNoColours) {
  EXPECT_EQ(DisplayWidth(""), 0u);
  EXPECT_EQ(DisplayWidth("über"), 4u);
  EXPECT_EQ(DisplayWidth("\x1b[31mFAIL\x1b[0m"), 4u);
}

// A pseudo-terminal of 72 columns.
class Pty {
 public:
  Pty() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) std::abort();
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    winsize size{};
    size.ws_col = 72;
    ioctl(slave_, TIOCSWINSZ, &size);
  }
  ~Pty() {
    close(slave_);
    close(master_);
  }
  int fd() const { return slave_; }

 private:
  int master_;
  int slave_;
};

TEST(Terminal, ColoursOnlyWhereTheyAreWelcome) {
  const Pty pty;
  const struct {
    const char* term;
    const char* no_color;
    bool colours;
  } cases[] = {
      {"xterm-256color", nullptr, true}, {"xterm", "", true},       {"xterm", "1", false},
      {"dumb", nullptr, false},          {nullptr, nullptr, false},
  };
  for (const auto& c : cases) {
    c.term == nullptr ? unsetenv("TERM") : setenv("TERM", c.term, 1);
    c.no_color == nullptr ? unsetenv("NO_COLOR") : setenv("NO_COLOR", c.no_color, 1);
    const Terminal terminal = Terminal::Of(pty.fd());
    EXPECT_TRUE(terminal.interactive());
    EXPECT_EQ(terminal.width(), 72u);
    EXPECT_EQ(terminal.colours(), c.colours) << (c.term == nullptr ? "no TERM" : c.term);
    EXPECT_EQ(terminal.Paint("x", Style::kRed), c.colours ? "\x1b[31mx\x1b[0m" : "x");
    EXPECT_EQ(terminal.Paint("x", Style::kPlain), "x");
  }
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
}

TEST(Terminal, APipeHasNoColoursAndAUsualWidth) {
  setenv("TERM", "xterm", 1);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Terminal terminal = Terminal::Of(ends[1]);
  close(ends[0]);
  close(ends[1]);
  EXPECT_FALSE(terminal.interactive());
  EXPECT_FALSE(terminal.colours());
  EXPECT_EQ(terminal.width(), 100u);
  EXPECT_EQ(PaintStatus(terminal, v1::Verdict::FAIL), "FAIL");
}

TEST(Names, OfStatusesAndSeverities) {
  const Terminal plain = Terminal::Plain();
  EXPECT_EQ(PaintStatus(plain, v1::Verdict::NOT_APPLICABLE, 8), "N/A     ");
  EXPECT_EQ(PaintStatus(plain, v1::Verdict::UNKNOWN, 3), "UNKNOWN");
  EXPECT_EQ(PaintStatus(plain, static_cast<v1::Verdict::Status>(99)), "UNKNOWN");
  EXPECT_EQ(PaintSeverity(plain, v1::HIGH, 9), "high     ");
  EXPECT_EQ(SeverityName(v1::SEVERITY_UNSPECIFIED), "-");
  const struct {
    const char* name;
    v1::Verdict::Status status;
  } statuses[] = {
      {"pass", v1::Verdict::PASS},          {"FAIL", v1::Verdict::FAIL},
      {"Unknown", v1::Verdict::UNKNOWN},    {"not-applicable", v1::Verdict::NOT_APPLICABLE},
      {"n/a", v1::Verdict::NOT_APPLICABLE}, {"manual", v1::Verdict::MANUAL},
  };
  for (const auto& c : statuses) {
    v1::Verdict::Status status;
    EXPECT_TRUE(ParseStatus(c.name, status)) << c.name;
    EXPECT_EQ(status, c.status) << c.name;
  }
  v1::Verdict::Status status;
  EXPECT_FALSE(ParseStatus("failed", status));
  EXPECT_FALSE(ParseStatus("", status));
  v1::Severity severity;
  EXPECT_TRUE(ParseSeverity("Critical", severity));
  EXPECT_EQ(severity, v1::CRITICAL);
  EXPECT_FALSE(ParseSeverity("severity_unspecified", severity));
  EXPECT_FALSE(ParseSeverity("urgent", severity));
}

TEST(Table, AlignsColumnsByWhatIsSeen) {
  Table table({"A", "LONG TITLE", "LAST"});
  EXPECT_TRUE(table.empty());
  table.Row({"über-long", "x", "1"});
  table.Row({"a", "\x1b[31mFAIL\x1b[0m", ""});
  EXPECT_FALSE(table.empty());
  std::ostringstream out;
  table.Print(Terminal::Plain(), out);
  EXPECT_EQ(out.str(),
            "A          LONG TITLE  LAST\n"
            "über-long  x           1\n"
            "a          \x1b[31mFAIL\x1b[0m\n");
}

TEST(Wrap, BreaksBetweenWordsAndKeepsParagraphs) {
  EXPECT_EQ(Wrap("one two three four five six", 24, "  "), "  one two three four\n  five six\n");
  EXPECT_EQ(Wrap("first\n\nsecond\n\n", 40, "  "), "  first\n\n  second\n");
  const std::string word(60, 'w');
  EXPECT_EQ(Wrap(word, 30, " "), " " + word + "\n");
}

}  // namespace
}  // namespace plimsoll::cli
