#!/bin/sh
# Bundles the sources: build/dist/{berth,berthd,layer-worker}.js and the chunks that they load when needed.
#   sh tools/build.sh
set -eu
cd "$(dirname "$0")/.."
for node in node_modules/node-linux-*/bin/node; do :; done

# Before the work, so that a source changed meanwhile is newer.
mkdir -p build/dist
: >build/stamp.new
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
entries=berth=src/cli/main.ts
[ ! -e src/daemon/main.ts ] || entries="$entries berthd=src/daemon/main.ts"
[ ! -e src/layers/layer-worker.ts ] || entries="$entries layer-worker=src/layers/layer-worker.ts"

rm -rf build/dist.new
# shellcheck disable=SC2086 # a list of words
PATH="$PWD/${node%/node}:$PATH" node_modules/.bin/esbuild $entries --bundle --splitting --platform=node --format=esm --target=esnext \
  --outdir=build/dist.new --chunk-names=chunk-[hash] --log-level=warning \
  --define:BERTH_VERSION="\"$version\"" --define:BERTH_COMMIT="\"$commit\"" --define:BERTH_BUILT="\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\""

# Chunks first, each file in one step: what runs meanwhile finds whole files, old or new.
find build/dist -name 'chunk-*.js' -mmin +60 -exec rm -f {} +
mv build/dist.new/chunk-*.js build/dist/ 2>/dev/null || :
mv build/dist.new/*.js build/dist/
rmdir build/dist.new
mv build/stamp.new build/stamp
