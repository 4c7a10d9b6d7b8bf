#include "controller/access/web_fetch.h"

#include <curl/curl.h>

#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"

namespace plimsoll::access {
namespace {

constexpr size_t kMostAnswerBytes = 256 << 10;
constexpr long kTimeoutMs = 10'000;
constexpr long kConnectTimeoutMs = 5'000;

struct FreeEasy {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeText {
  void operator()(char* text) const { curl_free(text); }
};

size_t Keep(char* data, size_t size, size_t count, void* body) {
  std::string& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > kMostAnswerBytes) return 0;
  text.append(data, size * count);
  return size * count;
}

absl::StatusOr<WebReply> Fetch(const WebRequest& request, const std::string& ca_pem) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  if (auto status = CheckWebUrl(request.url); !status.ok()) return status;
  const std::unique_ptr<CURL, FreeEasy> curl(curl_easy_init());
  char error[CURL_ERROR_SIZE] = "";
  WebReply reply;
  std::unique_ptr<curl_slist, FreeList> headers(
      curl_slist_append(nullptr, "User-Agent: plimsoll-controller"));
  headers.reset(curl_slist_append(headers.release(), "Accept: application/json"));
  curl_easy_setopt(curl.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kTimeoutMs);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(curl.get(), CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Keep);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply.body);
  if (!ca_pem.empty()) {
    curl_blob blob{const_cast<char*>(ca_pem.data()), ca_pem.size(), CURL_BLOB_COPY};
    curl_easy_setopt(curl.get(), CURLOPT_CAINFO_BLOB, &blob);
  }
  if (!request.form.empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.form.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request.form.c_str());
  }
  if (!request.user.empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(curl.get(), CURLOPT_USERNAME, request.user.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, request.password.c_str());
  }
  if (!request.bearer.empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    curl_easy_setopt(curl.get(), CURLOPT_XOAUTH2_BEARER, request.bearer.c_str());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_WRITE_ERROR) return absl::UnavailableError("the answer is too long");
  if (code != CURLE_OK) {
    return absl::UnavailableError(error[0] != '\0' ? error : curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

// A part of a URL; empty: it has none.
std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  return std::unique_ptr<char, FreeText>(text).get();
}

}  // namespace

WebFetch CurlFetch(std::string ca_pem) {
  return [ca_pem = std::move(ca_pem)](const WebRequest& request) { return Fetch(request, ca_pem); };
}

absl::Status CheckWebUrl(const std::string& text) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  const bool parsed = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  const std::string scheme = PartOf(url.get(), CURLUPART_SCHEME);
  const std::string host = PartOf(url.get(), CURLUPART_HOST);
  const bool plain = text.find_first_of(" \t\r\n\\") == std::string::npos;
  if (!parsed || !plain || host.empty() || (scheme != "https" && scheme != "http") ||
      !PartOf(url.get(), CURLUPART_USER).empty() || text.find('#') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not the address of a server, as https://host/path"));
  }
  if (scheme == "http" && host != "localhost" && host != "127.0.0.1" && host != "[::1]") {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not encrypted; expected https://"));
  }
  return absl::OkStatus();
}

std::string UrlEncode(absl::string_view text) {
  if (text.empty()) return "";
  const std::unique_ptr<char, FreeText> escaped(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())));
  return escaped == nullptr ? "" : escaped.get();
}

}  // namespace plimsoll::access
