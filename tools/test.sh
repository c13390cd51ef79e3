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
# Two files at a time, those that need root each in namespaces of their own: they look afterwards for what was left behind.
exec env NODE_OPTIONS="--import=$PWD/tools/isolate.mjs" node --test --test-concurrency=2 --test-timeout=600000 "$@"
