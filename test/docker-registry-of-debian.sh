#!/bin/sh
# Prints the path of Debian's docker-registry, which needs not be installed: fetched once, kept for the next time.
set -eu
tree=${REGISTRY_TREE:-/var/tmp/berth-docker-registry}
if [ ! -x "$tree/usr/bin/docker-registry" ]; then
  mkdir -p "$tree"
  cd "$tree"
  apt-get -qq download docker-registry >&2
  dpkg -x docker-registry_*.deb .
  rm docker-registry_*.deb
fi
echo "$tree/usr/bin/docker-registry"
