#!/bin/sh
# Prints the path of docker-compose v2 from Debian (trixie), fetched once and kept beside the tree of test/parity.
#   sh test/compose-of-debian.sh
set -eu
tree=${COMPOSE_TREE:-/var/tmp/berth-compose-trixie}
program=usr/libexec/docker/cli-plugins/docker-compose
if [ ! -x "$tree/$program" ]; then
  work=$(mktemp -d /var/tmp/berth-compose-XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" >"$work/sources.list"
  debian() {
    apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$work/state" \
      -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@" >&2
  }
  : >"$work/status"
  debian update
  (cd "$work" && debian download docker-compose)
  dpkg -x "$work"/docker-compose_*.deb "$work/tree"
  [ -x "$work/tree/$program" ]
  rm -rf "$tree"
  mv "$work/tree" "$tree"
fi
echo "$tree/$program"
