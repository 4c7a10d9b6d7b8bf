// Waiting for the signals that end a program.
#pragma once

#include <functional>
#include <thread>

namespace plimsoll::support {

// Blocks SIGINT and SIGTERM in the calling thread and those it starts later, and ignores SIGPIPE.
// Call first in main.
void BlockEndSignals();

// Calls `on_signal(number)` on a thread of its own for each SIGINT or SIGTERM, until destroyed.
class SignalWatcher {
 public:
  explicit SignalWatcher(std::function<void(int)> on_signal);
  ~SignalWatcher();

 private:
  int stop_fd_;
  std::thread thread_;
};

}  // namespace plimsoll::support
