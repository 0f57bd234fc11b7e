#!/usr/bin/env bash
# Builds the Prometheus that tests scrape with and its promtool, pinned in go.mod beside this, into
# target/control-plane/bin. It has pins of its own: in the control plane's module it would move
# Kubernetes' dependencies. A second run finds the stamp and does nothing; a first one takes some minutes. Everything it says goes to stderr.
set -euo pipefail

if [ -x "${KUBEBUILDER_ASSETS:-/nowhere}/prometheus" ] && [ -x "${KUBEBUILDER_ASSETS:-/nowhere}/promtool" ]; then
  exit 0
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${CONTROL_PLANE_DIR:-$here/../../../target/control-plane}/bin"
out=$(cd "${CONTROL_PLANE_DIR:-$here/../../../target/control-plane}" && pwd)
stamp=$out/stamp-prometheus
want=$({ cat "$here/go.mod" "$here/go.sum" "$here/build.sh"; uname -sm; } | cksum)

fresh() {
  [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && [ -x "$out/bin/prometheus" ] && [ -x "$out/bin/promtool" ]
}
fresh && exit 0

if ! command -v go >/dev/null; then
  echo "Prometheus is built with Go: install go 1.26 or newer (https://go.dev/dl), or put prometheus and promtool into KUBEBUILDER_ASSETS" >&2
  # Whoever brings a control plane has its tests; those that need Prometheus say so.
  [ -n "${KUBEBUILDER_ASSETS:-}" ] || exit 2
  exit 0
fi

# Two runs at once would do the same work twice; the second waits and then finds the stamp.
if command -v flock >/dev/null; then
  exec 9>"$out/lock-prometheus"
  flock 9
  ! fresh || exit 0
fi
trap 'rm -f "$out/bin/.prometheus.$$" "$out/bin/.promtool.$$"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -f "$stamp"

cd "$here"
export CGO_ENABLED=0 GOWORK=off
version=$(go list -m -f '{{.Version}}' github.com/prometheus/prometheus)
# The module's v0.313.5 is the release 3.13.5.
release=$(sed -E 's/^v0\.([0-9])([0-9]{2})\./\1.\2./; s/\.0([0-9])\./.\1./' <<<"$version")
echo "prometheus: $release from the Go module proxy; some minutes the first time" >&2
for tool in prometheus promtool; do
  # Without the clients of some thirty clouds, whose targets no test has: most of the build.
  go build -trimpath -tags remove_all_sd,netgo -ldflags "-s -w -X github.com/prometheus/common/version.Version=$release" \
    -o "$out/bin/.$tool.$$" "github.com/prometheus/prometheus/cmd/$tool" >&2 9>&-
  mv -f "$out/bin/.$tool.$$" "$out/bin/$tool"
  "$out/bin/$tool" --version 2>&1 | grep -qF "version $release" || {
    echo "$tool calls itself \"$("$out/bin/$tool" --version 2>&1 | head -1)\" instead of $release" >&2
    exit 1
  }
done
echo "$want" >"$stamp.$$"
mv -f "$stamp.$$" "$stamp"
echo "prometheus: ready in $out/bin after $SECONDS s" >&2
