#include "controller/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace plimsoll::cli {
namespace {

constexpr size_t kDefaultWidth = 100;
constexpr char kReplacement[] = "\xEF\xBF\xBD";

// Decodes one code point at `i`; 0 bytes for invalid UTF-8.
size_t DecodeUtf8(absl::string_view text, size_t i, uint32_t& point) {
  const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char first = byte(i);
  const size_t length = first < 0x80                    ? 1
                        : first >= 0xC2 && first < 0xE0 ? 2
                        : first >= 0xE0 && first < 0xF0 ? 3
                        : first >= 0xF0 && first < 0xF5 ? 4
                                                        : 0;
  if (length == 0 || i + length > text.size()) return 0;
  point = length == 1 ? first : first & (0xFF >> (length + 1));
  for (size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
    point = (point << 6) | (byte(i + k) & 0x3F);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool impossible = point > 0x10FFFF || (point >= 0xD800 && point < 0xE000);
  return overlong || impossible ? 0 : length;
}

// Controls, line separators, and what has no width of its own or turns the direction of its
// neighbours: two names that differ must not look the same.
bool IsUnsafe(uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0xAD || point == 0x61C ||
         point == 0x180E || (point >= 0x200B && point <= 0x200F) ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2060 && point <= 0x206F) ||
         point == 0xFEFF || (point >= 0xFFF9 && point <= 0xFFFB) ||
         (point >= 0xE0000 && point <= 0xE007F);
}

const char* Code(Style style) {
  switch (style) {
    case Style::kBold:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kRed:
      return "\x1b[31m";
    case Style::kGreen:
      return "\x1b[32m";
    case Style::kYellow:
      return "\x1b[33m";
    case Style::kCyan:
      return "\x1b[36m";
    case Style::kMagenta:
      return "\x1b[35m";
    case Style::kPlain:
      break;
  }
  return "";
}

std::string Pad(std::string text, size_t width) {
  const size_t used = DisplayWidth(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

}  // namespace

std::string Printable(absl::string_view text, size_t limit) {
  std::string safe;
  for (size_t i = 0; i < text.size();) {
    if (safe.size() >= limit) {
      safe += "…";
      break;
    }
    uint32_t point = 0;
    const size_t length = DecodeUtf8(text, i, point);
    if (length == 0) {
      safe += kReplacement;
      ++i;
      continue;
    }
    if (IsUnsafe(point)) {
      safe += point < 0x100 ? absl::StrFormat("\\x%02x", point) : absl::StrFormat("\\u{%x}", point);
    } else {
      safe.append(text.data() + i, length);
    }
    i += length;
  }
  return safe;
}

std::string PrintableJson(absl::string_view json) {
  std::string safe;
  for (size_t i = 0; i < json.size();) {
    uint32_t point = 0;
    const size_t length = DecodeUtf8(json, i, point);
    // White space between values stays; within strings it is escaped already.
    if (length == 0) {
      safe += kReplacement;
    } else if (!IsUnsafe(point) || point == '\n') {
      safe.append(json.data() + i, length);
    } else if (point < 0x10000) {
      absl::StrAppendFormat(&safe, "\\u%04x", point);
    } else {
      const uint32_t rest = point - 0x10000;
      absl::StrAppendFormat(&safe, "\\u%04x\\u%04x", 0xD800 + (rest >> 10),
                            0xDC00 + (rest & 0x3FF));
    }
    i += length == 0 ? 1 : length;
  }
  return safe;
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm') ++i;
      continue;
    }
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ++width;
  }
  return width;
}

Terminal Terminal::Of(int fd) {
  const bool interactive = isatty(fd) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || absl::string_view(term) == "dumb";
  const bool colours = interactive && !dumb && (no_colour == nullptr || *no_colour == '\0');
  size_t width = kDefaultWidth;
  winsize size{};
  if (interactive && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) width = size.ws_col;
  return Terminal(interactive, colours, width);
}

std::string Terminal::Paint(absl::string_view text, Style style) const {
  if (!colours_ || style == Style::kPlain) return std::string(text);
  return absl::StrCat(Code(style), text, "\x1b[0m");
}

std::string PaintStatus(const Terminal& terminal, v1::Verdict::Status status, size_t width) {
  switch (status) {
    case v1::Verdict::PASS:
      return terminal.Paint(Pad("PASS", width), Style::kGreen);
    case v1::Verdict::FAIL:
      return terminal.Paint(Pad("FAIL", width), Style::kRed);
    case v1::Verdict::NOT_APPLICABLE:
      return terminal.Paint(Pad("N/A", width), Style::kDim);
    case v1::Verdict::MANUAL:
      return terminal.Paint(Pad("MANUAL", width), Style::kCyan);
    default:
      return terminal.Paint(Pad("UNKNOWN", width), Style::kYellow);
  }
}

std::string SeverityName(v1::Severity severity) {
  if (severity == v1::SEVERITY_UNSPECIFIED) return "-";
  return absl::AsciiStrToLower(v1::Severity_Name(severity));
}

std::string PaintSeverity(const Terminal& terminal, v1::Severity severity, size_t width) {
  const Style style = severity >= v1::CRITICAL ? Style::kMagenta
                      : severity == v1::HIGH   ? Style::kRed
                      : severity == v1::MEDIUM ? Style::kYellow
                                               : Style::kDim;
  return terminal.Paint(Pad(SeverityName(severity), width), style);
}

bool ParseSeverity(absl::string_view name, v1::Severity& severity) {
  return v1::Severity_Parse(absl::AsciiStrToUpper(name), &severity) &&
         severity != v1::SEVERITY_UNSPECIFIED;
}

bool ParseStatus(absl::string_view name, v1::Verdict::Status& status) {
  std::string upper = absl::AsciiStrToUpper(name);
  std::replace(upper.begin(), upper.end(), '-', '_');
  if (upper == "N/A" || upper == "NA") upper = "NOT_APPLICABLE";
  return v1::Verdict::Status_Parse(upper, &status);
}

void Table::Print(const Terminal& terminal, std::ostream& out) const {
  std::vector<size_t> widths;
  for (const std::string& title : header_) widths.push_back(DisplayWidth(title));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  const auto print = [&](const std::vector<std::string>& cells, Style style) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      const bool last = i + 1 == cells.size();
      line += last ? cells[i] : Pad(cells[i], widths[i] + 2);
    }
    out << terminal.Paint(absl::StripTrailingAsciiWhitespace(line), style) << "\n";
  };
  print(header_, Style::kBold);
  for (const auto& row : rows_) print(row, Style::kPlain);
}

std::string Wrap(absl::string_view text, size_t width, absl::string_view indent) {
  const size_t room = width > indent.size() + 20 ? width - indent.size() : 20;
  std::string out;
  for (absl::string_view paragraph : absl::StrSplit(text, '\n')) {
    std::string line;
    for (absl::string_view word : absl::StrSplit(paragraph, ' ', absl::SkipEmpty())) {
      if (!line.empty() && DisplayWidth(line) + 1 + DisplayWidth(word) > room) {
        absl::StrAppend(&out, indent, line, "\n");
        line.clear();
      }
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
    }
    absl::StrAppend(&out, line.empty() ? "" : indent, line, "\n");
  }
  while (out.size() > 1 && out[out.size() - 2] == '\n') out.pop_back();
  return out;
}

}  // namespace plimsoll::cli
