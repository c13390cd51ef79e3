#!/bin/sh
# Makes a checkout runnable: npm packages (which carry Node), the C program, the bundles. Does only what is
# missing or older than its source, and says on standard error what it does. Two at once wait for each other.
#   sh tools/bootstrap.sh
set -eu
cd "$(dirname "$0")/.."

say() { echo "berth: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

mkdir -p build
# One at a time: whoever comes second finds the work done.
if [ "${BERTH_BOOTSTRAP_LOCKED:-}" = "" ] && command -v flock >/dev/null 2>&1; then
  BERTH_BOOTSTRAP_LOCKED=1 exec flock build/lock sh tools/bootstrap.sh
fi

# On Debian, root can be helped; everybody else is told what to install.
need() { # PROGRAM PACKAGES…
  program=$1
  shift
  command -v "$program" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "$program is missing: installing $* with apt-get"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >build/apt.log 2>&1 ||
      fail "apt-get could not install $*: see $PWD/build/apt.log"
  fi
  command -v "$program" >/dev/null 2>&1 || fail "$program is missing; install it and run this again (on Debian: apt-get install $*)"
}

case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) fail "no Node for $(uname -m): only x86_64 and aarch64 are supported" ;;
esac
node=node_modules/node-linux-$arch/bin/node

if [ ! -x "$node" ] || [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  need npm nodejs npm
  major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
  [ "$major" -ge 20 ] || fail "npm needs Node 20 or newer to install the packages; this is $(node --version)"
  say "installing the npm packages (they bring Node 26)"
  npm ci --loglevel=error >build/npm.log 2>&1 || {
    tail -20 build/npm.log >&2
    fail "npm could not install the packages; all of its output is in $PWD/build/npm.log"
  }
  [ -x "$node" ] || fail "npm did not install node-linux-$arch (optional dependencies must not be left out)"
  touch node_modules/.package-lock.json
fi

if [ -e native/Makefile ]; then
  if ! make -q -s -C native >/dev/null 2>&1; then
    need make make
    need cc gcc libc6-dev
    say "compiling the C program"
    make -s -C native >build/make.log 2>&1 || {
      tail -20 build/make.log >&2
      fail "the C program does not compile; all of the output is in $PWD/build/make.log"
    }
  fi
fi

if [ ! -e build/stamp ] || [ -n "$(find src native tools/build.sh package.json -newer build/stamp ! -name '*.test.ts' -type f -print 2>/dev/null | head -n 1)" ]; then
  say "bundling"
  sh tools/build.sh
else
  # The checkout moved without a change to what is built.
  touch build/stamp
fi
