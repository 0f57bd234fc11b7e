#!/usr/bin/env bash
# Installs what compiles C against musl for ARCH (amd64, arm64), on Debian and as root.
#   toolchain.sh ARCH
set -euo pipefail

arch=$1
case $arch in
  amd64) cpu=x86-64 ;;
  arm64) cpu=aarch64 ;;
  *) echo "error: $arch is neither amd64 nor arm64" >&2; exit 2 ;;
esac

# The C compiler of another architecture is a package of its own; its musl comes from the other
# architecture's packages.
packages=(ca-certificates jq gcc libc6-dev)
if [ "$arch" != "$(dpkg --print-architecture)" ]; then
  dpkg --add-architecture "$arch"
  packages+=("gcc-$cpu-linux-gnu" "libc6-dev-$arch-cross")
fi
apt-get update --quiet=2
apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" "musl-dev:$arch" >/dev/null
