#!/bin/sh
# The programs that tests drive, from Debian's packages, where they are missing.
set -eu
want=''
need() { command -v "$1" >/dev/null 2>&1 || want="$want $2"; }
need busybox busybox-static
need nft nftables
need ip iproute2
need debootstrap debootstrap
need curl curl
need python3 python3
need skopeo skopeo
need docker "$(apt-cache show docker-cli >/dev/null 2>&1 && echo docker-cli || echo docker.io)"
/usr/bin/python3 -c 'import docker' 2>/dev/null || want="$want python3-docker"
file=$(command -v busybox || true)
[ -z "$file" ] || ! ldd "$file" >/dev/null 2>&1 || want="$want busybox-static"
sh "$(dirname "$0")/../test/podman-of-debian.sh" >/dev/null 2>&1 || echo "tests: Debian's podman cannot be fetched" >&2
sh "$(dirname "$0")/../test/docker-registry-of-debian.sh" >/dev/null 2>&1 || echo "tests: Debian's docker-registry cannot be fetched" >&2
[ -n "$want" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "tests: missing programs:$want (run as root to have them installed)" >&2; exit 0; }
echo "tests: installing$want" >&2
apt-get -qq update >/dev/null
# No service of a package may start: only the client of docker.io is used.
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends $want >/dev/null
