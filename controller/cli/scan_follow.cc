#include "controller/cli/scan_follow.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <ostream>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "proto/support/clock.h"
#include "proto/support/times.h"

namespace plimsoll::cli {
namespace {

constexpr absl::Duration kRetryPause = absl::Seconds(1);
// How long after its deadline a scan is settled for certain.
constexpr absl::Duration kPatience = absl::Minutes(1);

// One line that is drawn over on a terminal, and a line a change elsewhere.
class Progress {
 public:
  explicit Progress(Session& session) : session_(session) {}
  ~Progress() {
    if (session_.error_terminal.interactive() && !last_.empty()) *session_.err << "\n";
  }

  void Show(const v1::ScanProgress& progress) {
    const std::string text = ProgressLine(progress);
    if (text == last_) return;
    last_ = text;
    if (!session_.error_terminal.interactive()) {
      *session_.err << "scan: " << text << std::endl;
      return;
    }
    constexpr int kBar = 30;
    const int64_t done = progress.evaluated() + progress.failed() + progress.missed();
    const int64_t filled = progress.targeted() == 0 ? kBar : kBar * done / progress.targeted();
    std::string bar;
    for (int i = 0; i < kBar; ++i) bar += i < filled ? "█" : "░";
    *session_.err << "\r\x1b[K" << session_.error_terminal.Paint(bar, Style::kGreen) << " " << text
                  << std::flush;
  }

 private:
  Session& session_;
  std::string last_;
};

// The pipe of the one Interrupts there is; a signal handler can reach nothing else.
std::atomic<int> interrupt_fd{-1};

extern "C" void OnInterrupt(int) {
  const int saved = errno;
  [[maybe_unused]] const ssize_t written = write(interrupt_fd.load(), "i", 1);
  errno = saved;
}

// While it lives, SIGINT and SIGTERM do not end the program but call `interrupted`, on a thread of
// its own, and are remembered. One at a time.
class Interrupts {
 public:
  explicit Interrupts(std::function<void()> interrupted) {
    if (pipe2(fds_, O_CLOEXEC | O_NONBLOCK) != 0) return;
    interrupt_fd = fds_[1];
    struct sigaction action = {};
    action.sa_handler = &OnInterrupt;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
    thread_ = std::thread([this, interrupted = std::move(interrupted)] {
      while (true) {
        pollfd wait = {fds_[0], POLLIN, 0};
        char byte = 0;
        if (poll(&wait, 1, -1) < 0 || read(fds_[0], &byte, 1) != 1) continue;
        if (byte == 'q') return;
        {
          absl::MutexLock lock(&mutex_);
          happened_ = true;
        }
        interrupted();
      }
    });
  }
  ~Interrupts() {
    if (!thread_.joinable()) return;
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
    [[maybe_unused]] const ssize_t written = write(fds_[1], "q", 1);
    thread_.join();
    interrupt_fd = -1;
    close(fds_[0]);
    close(fds_[1]);
  }

  // Waits for an interrupt; whether there was one, now or before.
  bool Pause(absl::Duration time) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&happened_), time);
  }

 private:
  int fds_[2] = {-1, -1};
  struct sigaction old_int_ = {};
  struct sigaction old_term_ = {};
  absl::Mutex mutex_;
  bool happened_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// The call under way, which an interrupt cancels.
struct CallUnderWay {
  absl::Mutex mutex;
  grpc::ClientContext* context ABSL_GUARDED_BY(mutex) = nullptr;

  void Set(grpc::ClientContext* call) {
    absl::MutexLock lock(&mutex);
    context = call;
  }
  void Cancel() {
    absl::MutexLock lock(&mutex);
    if (context != nullptr) context->TryCancel();
  }
};

}  // namespace

std::string ProgressLine(const v1::ScanProgress& progress) {
  std::string text =
      absl::StrCat(progress.evaluated(), " of ", progress.targeted(), " hosts evaluated");
  const std::pair<int, const char*> others[] = {{progress.offline(), "offline"},
                                                {progress.failed(), "failed"},
                                                {progress.missed(), "missed"}};
  for (const auto& [count, name] : others) {
    if (count > 0) absl::StrAppend(&text, ", ", count, " ", name);
  }
  return text;
}

absl::StatusOr<Followed> Follow(Client& client, v1::Scan scan, Session& session) {
  CallUnderWay call;
  Interrupts interrupts([&call] { call.Cancel(); });
  Progress progress(session);
  progress.Show(scan.progress());
  const absl::Time give_up = support::FromTimestamp(scan.deadline()) + kPatience;
  auto stub = v1::ScanService::NewStub(client.channel());
  v1::WatchScanRequest request;
  request.set_id(scan.id());
  while (scan.state() == v1::Scan::RUNNING) {
    grpc::ClientContext context;
    const absl::Duration left = give_up - support::Clock::Real().Now();
    client.Prepare(context, std::max(left, kPatience));
    call.Set(&context);
    // An interrupt before the call began had nothing to cancel.
    if (interrupts.Pause(absl::ZeroDuration())) context.TryCancel();
    auto stream = stub->WatchScan(&context, request);
    while (stream->Read(&scan)) progress.Show(scan.progress());
    const absl::Status status = client.Explain(context, stream->Finish());
    call.Set(nullptr);
    if (interrupts.Pause(absl::ZeroDuration())) return Followed{std::move(scan), true};
    if (status.ok()) break;
    if (!absl::IsUnavailable(status) || support::Clock::Real().Now() > give_up) return status;
    if (interrupts.Pause(kRetryPause)) return Followed{std::move(scan), true};
  }
  return Followed{std::move(scan), false};
}

}  // namespace plimsoll::cli
