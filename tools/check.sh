#!/bin/sh
# Types, tidiness, lint and format; under 20 seconds.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
tsc -b
biome ci --colors=off --error-on-warnings .
node --test --test-reporter=dot test/tidy.test.ts
