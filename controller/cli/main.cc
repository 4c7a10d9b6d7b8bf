// plimsoll: the command line.
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "controller/cli/command.h"

int main(int argc, char** argv) {
  // `plimsoll findings | head` ends quietly.
  std::signal(SIGPIPE, SIG_DFL);
  return plimsoll::cli::RunCli(std::vector<std::string>(argv + 1, argv + argc), std::cout,
                               std::cerr);
}
