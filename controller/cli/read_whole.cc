#include "controller/cli/read_whole.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace plimsoll::cli {
namespace {

constexpr size_t kPiece = 1 << 20;

}  // namespace

absl::StatusOr<std::string> ReadWhole(const std::string& path, size_t most_mebibytes) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    std::error_code ignored;
    if (!file || std::filesystem::is_directory(path, ignored)) {
      return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
    }
  }
  std::istream& in = path == "-" ? std::cin : file;
  const size_t most = most_mebibytes << 20;
  std::string text;
  while (in && text.size() <= most) {
    const size_t before = text.size();
    text.resize(before + std::min(kPiece, most + 1 - before));
    in.read(text.data() + before, static_cast<std::streamsize>(text.size() - before));
    text.resize(before + static_cast<size_t>(in.gcount()));
  }
  if (text.size() > most) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": larger than ", most_mebibytes, " MiB"));
  }
  return text;
}

}  // namespace plimsoll::cli
