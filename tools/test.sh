#!/bin/sh
# Everything: unit, root and real-client tests. Installs what the tests need and is missing.
#   npm test [-- FILE…]
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
sh tools/test-packages.sh
make -s -C native test
tsc -b
[ $# -gt 0 ] || set -- 'src/**/*.test.ts' 'test/**/*.test.ts'
# One file at a time: root tests look at the whole host afterwards for what was left behind.
exec node --test --test-concurrency=1 --test-timeout=600000 "$@"
