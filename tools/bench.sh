#!/bin/sh
# Benchmarks beside Docker from Debian's docker.io.
#   npm run --silent bench -- [networks|pull] [--only …] [--rounds N] [--write]
#   npm run --silent bench -- kills [--times 100] [--write]
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
sh tools/test-packages.sh
if [ "${1:-}" = kills ]; then
  shift
  exec node bench/kills.ts "$@"
fi
command -v dockerd >/dev/null 2>&1 || {
  apt-get -qq update >/dev/null
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends docker.io >/dev/null
}
case ${1:-} in
  networks) shift ;;
  pull) shift; exec node bench/pull.ts "$@" ;;
  *) exec node bench/bench.ts "$@" ;;
esac
command -v iperf3 >/dev/null 2>&1 || DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends iperf3 >/dev/null
exec node bench/networks.ts "$@"
