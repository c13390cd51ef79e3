#!/bin/sh
# Benchmarks beside Docker from Debian's docker.io.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
sh tools/test-packages.sh
command -v dockerd >/dev/null 2>&1 || {
  apt-get -qq update >/dev/null
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends docker.io >/dev/null
}
exec node bench/bench.ts "$@"
