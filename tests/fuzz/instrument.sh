#!/bin/sh
# Compiles the workspace's own crates with counters at each branch, which libFuzzer steers by. Cargo
# calls it (RUSTC_WORKSPACE_WRAPPER) with the compiler first; dependencies stay as `make test` has
# built them. The flags are LLVM's, and the stable compiler takes them.
set -eu
case " $* " in
*" --crate-name "*" --print "* | *" --crate-name ___ "*) exec "$@" ;;
*" --crate-name imageref "* | *" --crate-name fuzz "*)
  exec "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
  ;;
*) exec "$@" ;;
esac
