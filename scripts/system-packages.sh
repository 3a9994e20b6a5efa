#!/usr/bin/env bash
# Installs the programs that the tests run beside Python: Redis, Prometheus (with promtool), Chromium, shellcheck, wrk, tmux, Node.js.
# `system-packages.sh proof` adds the programs that really build the example's image (buildah, debootstrap), that run the .bat
# files (wine, and a compiler for the Windows program that records their arguments) and that count the benchmarks' instructions.
# It installs on Debian and its relatives only; elsewhere it says what is missing. If everything is there, it does nothing.
set -euo pipefail

declare -A package=(
  [redis-server]=redis-server [promtool]=prometheus [prometheus]=prometheus
  [chromium]=chromium [shellcheck]=shellcheck [wrk]=wrk [openssl]=openssl [tmux]=tmux [node]=nodejs [npm]=npm
)
if [ "${1:-}" = proof ]; then
  package+=([buildah]=buildah [debootstrap]=debootstrap [wine]=wine [x86_64-w64-mingw32-gcc]=gcc-mingw-w64-x86-64-win32 [valgrind]=valgrind [cc]=build-essential)
fi
missing=()
for program in "${!package[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "The tests need these programs; install them, then try again: ${missing[*]}" >&2
  exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
