#!/usr/bin/env bash
# Builds what the container image holds into FOLDER: the static program, the list of what it is made of
# (sbom.json), and CA certificates. Used by the Dockerfile and, without any container, by tests/image/run.sh.
#   compile.sh ARCH FOLDER        ARCH: amd64 or arm64
#   FEATURES=otlp                 Cargo features, separated by commas
set -euo pipefail

arch=$1
out=$(mkdir -p "$2" && cd "$2" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case $arch in
  amd64) cpu=x86_64 ;;
  arm64) cpu=aarch64 ;;
  *) echo "error: $arch is neither amd64 nor arm64" >&2; exit 2 ;;
esac
target=$cpu-unknown-linux-musl
features=${FEATURES:-}

sysroot=$(rustc --print sysroot)
if [ ! -d "$sysroot/lib/rustlib/$target/lib" ]; then
  rustup target add "$target"
fi

# C code (TLS, the allocator) is compiled against musl's headers by the compiler of that architecture.
gcc=$cpu-linux-gnu-gcc
specs=/usr/lib/$cpu-linux-musl/musl-gcc.specs
upper=$(tr a-z- A-Z_ <<<"$target")
lower=${target//-/_}
compiler=CC_$lower
if [ -n "${!compiler:-}" ]; then
  : # whoever names a compiler knows better
elif [ -e "$specs" ] && command -v "$gcc" >/dev/null; then
  export "$compiler=$gcc" "CFLAGS_$lower=-specs=$specs"
  export "CARGO_TARGET_${upper}_LINKER=$gcc"
elif ! command -v "$cpu-linux-musl-gcc" >/dev/null; then
  echo "error: no C compiler for $target: on Debian, run tests/image/toolchain.sh $arch as root" >&2
  exit 2
fi

cargo build --release --locked --bin imageref --target "$target" --features "$features"
install -D -m 0755 "${CARGO_TARGET_DIR:-target}/$target/release/imageref" "$out/imageref"
tests/image/sbom.sh "$target" "$features" >"$out/sbom.json"
chmod 0644 "$out/sbom.json"
# Where the TLS library looks for them.
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
install -D -m 0644 "$certificates" "$out/etc/ssl/certs/ca-certificates.crt"
