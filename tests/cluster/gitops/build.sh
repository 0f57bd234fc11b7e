#!/usr/bin/env bash
# Builds gitops-health, which tells tests what Flux and Argo CD make of an object, from main.go and
# the modules pinned in go.mod beside this, and jq in its Go form, into target/control-plane/bin. It has pins of its own: in
# the control plane's module they would move Kubernetes' dependencies. A second run finds the stamp
# and does nothing; a first one takes about a minute. Everything it says goes to stderr.
set -euo pipefail

[ ! -x "${KUBEBUILDER_ASSETS:-/nowhere}/gitops-health" ] || exit 0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${CONTROL_PLANE_DIR:-$here/../../../target/control-plane}/bin"
out=$(cd "${CONTROL_PLANE_DIR:-$here/../../../target/control-plane}" && pwd)
bin=$out/bin/gitops-health
stamp=$out/stamp-gitops
want=$({ cat "$here/go.mod" "$here/go.sum" "$here/main.go" "$here/build.sh"; uname -sm; } | cksum)

fresh() {
  [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && [ -x "$bin" ] && [ -x "$out/bin/jq" ]
}
fresh && exit 0

if ! command -v go >/dev/null; then
  echo "gitops-health is built with Go: install go 1.26 or newer (https://go.dev/dl), or put gitops-health into KUBEBUILDER_ASSETS" >&2
  # Whoever brings a control plane has its tests; those that need this say so.
  [ -n "${KUBEBUILDER_ASSETS:-}" ] || exit 2
  exit 0
fi

# Two runs at once would do the same work twice; the second waits and then finds the stamp.
if command -v flock >/dev/null; then
  exec 9>"$out/lock-gitops"
  flock 9
  ! fresh || exit 0
fi
trap 'rm -f "$out/bin/.gitops-health.$$" "$out/bin/.jq.$$"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -f "$stamp"

cd "$here"
export CGO_ENABLED=0 GOWORK=off
echo "gitops-health: kstatus of Flux and the Lua of Argo CD from the Go module proxy; about a minute the first time" >&2
go build -trimpath -ldflags "-s -w" -o "$out/bin/.gitops-health.$$" . >&2 9>&-
go build -trimpath -ldflags "-s -w" -o "$out/bin/.jq.$$" github.com/itchyny/gojq/cmd/gojq >&2 9>&-
mv -f "$out/bin/.jq.$$" "$out/bin/jq"
mv -f "$out/bin/.gitops-health.$$" "$bin"

said=$("$bin" <<<'{"objects": []}')
[ "$said" = "[]" ] || {
  echo "gitops-health says \"$said\" of no objects instead of []" >&2
  exit 1
}
echo "$want" >"$stamp.$$"
mv -f "$stamp.$$" "$stamp"
echo "gitops-health: ready in $out/bin after $SECONDS s" >&2
