// What is printed, and how: colours, widths, hostile text.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/verdict.pb.h"

namespace plimsoll::cli {

// Text from a host or a file, safe on a terminal: controls (C0, C1), line separators, invisible
// characters and bidirectional overrides become "\xNN" or "\u{...}", each byte of invalid UTF-8
// becomes U+FFFD; cut with "…" once the result has `limit` bytes.
std::string Printable(absl::string_view text, size_t limit = 4096);

// JSON with the same characters as \uNNNN: a terminal does not act upon it, and it means the same.
std::string PrintableJson(absl::string_view json);

// Columns a text takes on a terminal (UTF-8 code points; no wide characters).
size_t DisplayWidth(absl::string_view text);

enum class Style { kPlain, kBold, kDim, kRed, kGreen, kYellow, kCyan, kMagenta };

// Where and how to print. Colours are used only on a terminal, without NO_COLOR, and with TERM
// other than "dumb".
class Terminal {
 public:
  // Looks at `fd` (1: standard output).
  static Terminal Of(int fd);
  // Never colours; `width` columns.
  static Terminal Plain(size_t width = 100) { return Terminal(false, false, width); }

  std::string Paint(absl::string_view text, Style style) const;
  bool interactive() const { return interactive_; }
  bool colours() const { return colours_; }
  size_t width() const { return width_; }

 private:
  Terminal(bool interactive, bool colours, size_t width)
      : interactive_(interactive), colours_(colours), width_(width) {}
  bool interactive_;
  bool colours_;
  size_t width_;
};

// "PASS", "FAIL", "N/A", "MANUAL", "UNKNOWN" in their colours, padded to `width`.
std::string PaintStatus(const Terminal& terminal, v1::Verdict::Status status, size_t width = 0);
// "critical" ... in their colours, padded to `width`.
std::string PaintSeverity(const Terminal& terminal, v1::Severity severity, size_t width = 0);
std::string SeverityName(v1::Severity severity);
// INVALID: false. Accepts names in any case.
bool ParseSeverity(absl::string_view name, v1::Severity& severity);
bool ParseStatus(absl::string_view name, v1::Verdict::Status& status);

// Columns of text, as wide as they need to be: nothing is cut, the terminal wraps long lines.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  // Cells are already painted or Printable.
  void Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  void Print(const Terminal& terminal, std::ostream& out) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

// `text` in lines of at most `width` columns, each after `indent`.
std::string Wrap(absl::string_view text, size_t width, absl::string_view indent);

}  // namespace plimsoll::cli
