#include <optional>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/containers.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;

// What one kind of limit reads and says.
struct Limit {
  const char* noun;
  const char* none;
  const char* unit;
  const char* source;
};
constexpr Limit kMemory{"memory limit", "no memory limit", " bytes", "inspect HostConfig.Memory"};
constexpr Limit kPids{"process limit", "no process limit", "", "inspect HostConfig.PidsLimit"};

std::string Expected(const Limit& limit, std::optional<int64_t> maximum) {
  return maximum.has_value() ? absl::StrCat("a ", limit.noun, " of at most ", *maximum, limit.unit)
                             : absl::StrCat("a ", limit.noun);
}

// `configured` is what the container asks for, 0 or less: nothing. `in_force` is what the kernel
// shows. `supported`: what the engine says of the kernel, where it said something. Borrows
// `expected`.
Outcome JudgeLimit(const Limit& limit, int64_t configured, std::optional<int64_t> in_force,
                   std::optional<bool> supported, std::optional<int64_t> maximum,
                   absl::string_view expected) {
  if (configured <= 0) {
    return Fail(limit.none, expected, limit.source);
  }
  if (supported == false && !in_force.has_value()) {
    return Fail(absl::StrCat(configured, limit.unit,
                             " asked for, but the engine reports that this "
                             "kernel enforces no such limit"),
                expected, limit.source, reason::kConfiguredNotInForce);
  }
  if (maximum.has_value() && configured > *maximum) {
    return Fail(absl::StrCat("a ", limit.noun, " of ", configured, limit.unit), expected,
                limit.source);
  }
  return Pass();
}

template <typename Args>
std::optional<int64_t> MaximumOf(const Args& args) {
  return args.has_maximum() ? std::optional<int64_t>(args.maximum()) : std::nullopt;
}

}  // namespace

void JudgeMemoryLimited(const Context& context, const v1::Check& check, Judge& judge) {
  const auto& args = check.container_memory_limited();
  const std::optional<int64_t> maximum = MaximumOf(args);
  const std::string expected = Expected(kMemory, maximum);
  const v1::EngineFacts& engine = context.facts.engine();
  const std::optional<bool> supported = engine.has_memory_limit_supported()
                                            ? std::optional<bool>(engine.memory_limit_supported())
                                            : std::nullopt;
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    std::optional<int64_t> in_force;
    if (c.runtime().has_memory_max_bytes()) in_force = c.runtime().memory_max_bytes();
    if (c.memory_limit_bytes() <= 0 && args.accept_parent_cgroup() && in_force.has_value()) {
      return JudgeLimit(kMemory, *in_force, in_force, supported, maximum, expected)
          .WithNote("limited_by_cgroup",
                    absl::StrCat("the kernel shows a limit of ", *in_force, " bytes"));
    }
    return JudgeLimit(kMemory, c.memory_limit_bytes(), in_force, supported, maximum, expected);
  });
}

void JudgePidsLimited(const Context& context, const v1::Check& check, Judge& judge) {
  const auto& args = check.container_pids_limited();
  const std::optional<int64_t> maximum = MaximumOf(args);
  const std::string expected = Expected(kPids, maximum);
  const v1::EngineFacts& engine = context.facts.engine();
  const std::optional<bool> supported = engine.has_pids_limit_supported()
                                            ? std::optional<bool>(engine.pids_limit_supported())
                                            : std::nullopt;
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    std::optional<int64_t> in_force;
    if (c.runtime().has_pids_max()) in_force = c.runtime().pids_max();
    return JudgeLimit(kPids, c.has_pids_limit() ? c.pids_limit() : 0, in_force, supported, maximum,
                      expected);
  });
}

}  // namespace plimsoll::evaluate
