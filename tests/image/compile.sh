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

# C code (TLS, the allocator) is compiled against musl's headers by the wrapper of that architecture's gcc,
# which the build scripts find by its name. To link, rustc brings musl itself.
if ! command -v "$cpu-linux-musl-gcc" >/dev/null; then
  echo "error: no $cpu-linux-musl-gcc: on Debian, run tests/image/toolchain.sh $arch as root" >&2
  exit 2
fi
if [ "$cpu" != "$(uname -m)" ]; then
  export "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER=$cpu-linux-gnu-gcc"
fi

cargo build --release --locked --bin imageref --target "$target" --features "$features"
install -D -m 0755 "${CARGO_TARGET_DIR:-target}/$target/release/imageref" "$out/imageref"
# Symbols of C code stay in a static program otherwise.
strip=strip
[ "$cpu" = "$(uname -m)" ] || strip=$cpu-linux-gnu-strip
"$strip" --strip-all "$out/imageref"
tests/image/sbom.sh "$target" "$features" >"$out/sbom.json"
chmod 0644 "$out/sbom.json"
# Where the TLS library looks for them.
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
install -D -m 0644 "$certificates" "$out/etc/ssl/certs/ca-certificates.crt"
