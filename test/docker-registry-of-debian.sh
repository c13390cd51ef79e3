#!/bin/sh
# Prints the path of Debian's docker-registry, which needs not be installed: fetched once, kept for the next time.
set -eu
tree=${REGISTRY_TREE:-/var/tmp/berth-docker-registry}
if [ ! -x "$tree/usr/bin/docker-registry" ]; then
  mkdir -p "$tree"
  cd "$tree"
  apt-cache show docker-registry >/dev/null 2>&1 || apt-get -qq update >&2
  apt-get -qq download -o Acquire::Retries=0 -o Acquire::http::Timeout=10 docker-registry >&2
  dpkg -x docker-registry_*.deb .
  rm docker-registry_*.deb
fi
echo "$tree/usr/bin/docker-registry"
