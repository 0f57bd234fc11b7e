#!/usr/bin/env bash
# Builds helm, with which tests render, check and install the chart, from the module pinned in go.mod
# beside this, into target/control-plane/bin. It has pins of its own: in the control plane's module they
# would move Kubernetes' dependencies. A second run finds the stamp and does nothing; a first one takes
# some minutes. Everything it says goes to stderr.
set -euo pipefail

[ ! -x "${KUBEBUILDER_ASSETS:-/nowhere}/helm" ] || exit 0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${CONTROL_PLANE_DIR:-$here/../../../target/control-plane}/bin"
out=$(cd "${CONTROL_PLANE_DIR:-$here/../../../target/control-plane}" && pwd)
bin=$out/bin/helm
stamp=$out/stamp-helm
want=$({ cat "$here/go.mod" "$here/go.sum" "$here/build.sh"; uname -sm; } | cksum)

fresh() {
  [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && [ -x "$bin" ]
}
fresh && exit 0

if ! command -v go >/dev/null; then
  echo "helm is built with Go: install go 1.26 or newer (https://go.dev/dl), or put helm into KUBEBUILDER_ASSETS" >&2
  # Whoever brings a control plane has its tests; those that need helm say so.
  [ -n "${KUBEBUILDER_ASSETS:-}" ] || exit 2
  exit 0
fi

# Two runs at once would do the same work twice; the second waits and then finds the stamp.
if command -v flock >/dev/null; then
  exec 9>"$out/lock-helm"
  flock 9
  ! fresh || exit 0
fi
trap 'rm -f "$out/bin/.helm.$$"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -f "$stamp"

cd "$here"
export CGO_ENABLED=0 GOWORK=off
version=$(go list -m -f '{{.Version}}' helm.sh/helm/v4)
echo "helm: $version from the Go module proxy; some minutes the first time" >&2
go build -trimpath -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" \
  -o "$out/bin/.helm.$$" helm.sh/helm/v4/cmd/helm >&2 9>&-
mv -f "$out/bin/.helm.$$" "$bin"

said=$("$bin" version --template '{{.Version}}')
[ "$said" = "$version" ] || {
  echo "helm calls itself \"$said\" instead of $version" >&2
  exit 1
}
echo "$want" >"$stamp.$$"
mv -f "$stamp.$$" "$stamp"
echo "helm: ready in $out/bin after $SECONDS s" >&2
