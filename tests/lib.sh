# Steps of tests/run. Each step counts what passed and what failed; a step that cannot run is a failure.
PASSED=0
FAILED=0
FAILURES=()
# Whole: steps that change folders use it too.
BUILD=$(realpath -ms "${PLIMSOLL_BUILD_DIR:-build}")
SANITIZED=$BUILD-asan
JOBS=${JOBS:-$(nproc)}

say() { printf '\n=== %s (%ds)\n' "$*" "$SECONDS"; }
pass() { PASSED=$((PASSED + $1)); }
fail() {
  FAILED=$((FAILED + $1))
  shift
  FAILURES+=("$*")
  echo "FAILED: $*" >&2
}

# check NAME COMMAND...: one test that passes when the command does.
check() {
  local name=$1
  shift
  if "$@"; then pass 1; else fail 1 "$name"; fi
}

install_packages() {
  local missing
  missing=$(deploy/packages missing build test) || return 1
  [ -z "$missing" ] && return 0
  if [ "$(id -u)" != 0 ]; then
    echo "tests/run: these packages are missing; run as root or install them:" $missing >&2
    return 1
  fi
  say "installing packages"
  deploy/packages install build test
}

configure_only() { mkdir -p "$BUILD" && cmake -S . -B "$BUILD" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPLIMSOLL_TESTS=ON -DPLIMSOLL_BENCH=ON >"$BUILD/configure.log" 2>&1 || { cat "$BUILD/configure.log"; return 1; }; }

build_release() {
  say "building (Release)"
  if configure_only && ninja -C "$BUILD" -j "$JOBS" --quiet plimsoll plimsoll-collector plimsoll-controller integration_tests e2e_programs; then
    pass 1
    check "libraries of deploy/packages (tests/lint/packages_test)" tests/lint/packages_test "$BUILD"
  else
    fail 1 "build (Release)"
    return 1
  fi
}

# run_ctest DIRECTORY LABEL: runs the test binaries with that label and counts their tests; a binary that ends without
# a verdict (a crash, a time-out), or badly after a good one (a leak, a crash at exit), counts as one failure.
run_ctest() {
  local log passed bad ended binaries broken explained
  log=$(mktemp)
  (cd "$1" && ctest -V -L "^$2\$" -j "$JOBS" --no-tests=error) >"$log" 2>&1
  grep -E 'FAILED|Failure|ERROR: |runtime error|SUMMARY|Timeout|Exception|^ *[0-9]+/[0-9]+ Test' "$log" | head -200
  passed=$(sed -nE 's/.*\[  PASSED  \] ([0-9]+) tests?\..*/\1/p' "$log" | paste -sd+ | bc)
  bad=$(sed -nE 's/.*\[  FAILED  \] ([0-9]+) tests?, listed below:.*/\1/p' "$log" | paste -sd+ | bc)
  binaries=$(sed -nE 's/.* tests failed out of ([0-9]+)$/\1/p' "$log" | tail -1)
  ended=$(grep -cE '\[  PASSED  \] [0-9]+ tests?\.' "$log")
  broken=$(sed -nE 's/.* ([0-9]+) tests failed out of [0-9]+$/\1/p' "$log" | tail -1)
  explained=$(($(grep -cE '\[  FAILED  \] [0-9]+ tests?, listed below:' "$log") + (${binaries:-0} > ended ? ${binaries:-0} - ended : 0)))
  if [ "${bad:-0}" -gt 0 ]; then grep -B30 '\[  FAILED  \] .*ms)' "$log" | head -300; fi
  rm -f "$log"
  pass "${passed:-0}"
  [ "${bad:-0}" -eq 0 ] || fail "$bad" "$2 tests"
  [ -n "$binaries" ] && [ "$ended" -ge "$binaries" ] || fail 1 "$2 tests: only ${ended:-0} of ${binaries:-?} binaries ended"
  [ "${broken:-0}" -le "$explained" ] || fail $((broken - explained)) "$2 tests: binaries ended badly (a leak, a crash at exit)"
}

build_sanitized() { # TARGET
  if mkdir -p "$SANITIZED" && cmake -S . -B "$SANITIZED" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
    -DPLIMSOLL_SANITIZE=ON >"$SANITIZED/configure.log" 2>&1 && ninja -C "$SANITIZED" -j "$JOBS" --quiet "$1"; then
    pass 1
  else
    tail -5 "$SANITIZED/configure.log"
    fail 1 "build (sanitizers, $1)"
    return 1
  fi
}

unit() {
  say "building unit tests (clang, AddressSanitizer, UndefinedBehaviorSanitizer)"
  build_sanitized unit_tests || return
  say "unit tests"
  run_ctest "$SANITIZED" unit
}

fuzz() {
  say "building the fuzzers (clang, libFuzzer)"
  build_sanitized fuzzers || return
  say "fuzzing, ${FUZZ_SECONDS:=20} s each"
  local logs source name
  logs=$(mktemp -d)
  export SANITIZED FUZZ_SECONDS
  export -f fuzz_one
  for source in tests/fuzz/*_fuzz.cc; do basename "$source" _fuzz.cc; done |
    xargs -P "$JOBS" -I{} bash -c 'fuzz_one {} >"$1/{}" 2>&1 && touch "$1/{}.passed"' fuzz "$logs"
  for source in tests/fuzz/*_fuzz.cc; do
    name=$(basename "$source" _fuzz.cc)
    if [ -e "$logs/$name.passed" ]; then
      echo "$name: $(sed -nE 's/^stat::number_of_executed_units: *//p' "$logs/$name") executions"
    else
      tail -60 "$logs/$name"
    fi
    check "fuzz $name" test -e "$logs/$name.passed"
  done
  rm -rf "$logs"
}

# fuzz_one NAME: what it finds on the way is for this run; seeds are kept by hand. What breaks stays, for whoever mends it.
fuzz_one() {
  local found
  found=$(mktemp -d)
  "$SANITIZED/tests/fuzz/${1}_fuzz" -max_total_time="$FUZZ_SECONDS" -timeout=5 -rss_limit_mb=2048 -max_len=65536 \
    -verbosity=0 -print_final_stats=1 -artifact_prefix="$found/" "$found" "tests/fuzz/corpus/$1" && rm -rf "$found"
}

integration() {
  say "integration tests (PostgreSQL)"
  run_ctest "$BUILD" integration
}

# Files run side by side, each with engines and controllers of its own; most of their time is waiting. The kernel's audit
# rules are everybody's: audit_test runs before the others, alone.
e2e() {
  say "end-to-end tests (Docker engines of their own)"
  local logs module ran bad
  logs=$(mktemp -d)
  export PLIMSOLL_BIN=$BUILD
  export -f e2e_one
  e2e_one audit_test "$logs"
  (cd tests/e2e && ls -S *_test.py) | sed 's/\.py$//' | grep -vx audit_test |
    xargs -P "$JOBS" -I{} bash -c 'e2e_one "$@"' e2e {} "$logs"
  for module in tests/e2e/*_test.py; do
    module=$(basename "$module" .py)
    ran=$(sed -nE 's/^Ran ([0-9]+) tests? in .*/\1/p' "$logs/$module")
    bad=$(sed -nE 's/^FAILED \((.*)\)$/\1/p' "$logs/$module" | grep -oE '(failures|errors)=[0-9]+' | cut -d= -f2 | paste -sd+ | bc)
    bad=${bad:-0}
    if [ "${ran:-0}" -eq 0 ]; then
      fail 1 "end-to-end tests: $module did not run"
      continue
    fi
    [ "$bad" -le "$ran" ] || ran=$bad
    pass $((ran - bad))
    [ "$bad" -eq 0 ] || fail "$bad" "end-to-end tests: $module"
  done
  rm -rf "$logs"
}

e2e_one() { # MODULE LOGS
  (cd tests/e2e && python3 -m unittest -v "$1") >"$2/$1" 2>&1
  cat "$2/$1"
}

lint() {
  say "lint"
  check "format (clang-format)" tests/lint/format
  check "layers (tests/lint/layering_test)" tests/lint/layering_test
  check "layering_test finds violations" tests/lint/layering_test --self-test
  check "size and comments (tests/lint/size_test)" tests/lint/size_test
  check "examples (tests/lint/examples_test)" tests/lint/examples_test
  check "statements (tests/lint/statements_test)" tests/lint/statements_test
  check "tests are counted (tests/lint/counts_test)" tests/lint/counts_test
  if configure_only && ninja -C "$BUILD" -j "$JOBS" --quiet proto proto_services; then
    check "clang-tidy over what changed" tests/lint/tidy "$BUILD"
  else
    fail 1 "clang-tidy could not be prepared"
  fi
}

summary() {
  local failure
  echo
  for failure in "${FAILURES[@]+"${FAILURES[@]}"}"; do echo "failed: $failure"; done
  echo "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}
