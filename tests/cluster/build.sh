#!/usr/bin/env bash
# Builds the control plane that the tests and the demo run on, from the modules pinned in go.mod:
# etcd, kube-apiserver and kubectl, into target/control-plane/bin. A second run finds the stamp
# and does nothing; a first one takes some minutes on two cores and says how far it is. Everything
# it says goes to stderr. The registry beside it, the judge of GitOps tools, helm and Prometheus have pins and
# stamps of their own, in registry/, gitops/, helm/ and prometheus/.
#
# The stamp is there only while all three binaries come from these very pins: it goes before the
# first build and is written after the last check. Binaries are replaced by a rename, so that a
# server that is running from one stays whole.
set -euo pipefail
tools=(etcd kube-apiserver kubectl)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

"$here/registry/build.sh"
# `build.sh servers` leaves out what only tests use, for the demo and the benchmarks.
if [ "${1:-}" != servers ]; then
  "$here/gitops/build.sh"
  "$here/helm/build.sh"
  "$here/prometheus/build.sh"
fi

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for tool in "${tools[@]}"; do
    [ -x "$KUBEBUILDER_ASSETS/$tool" ] || {
      echo "KUBEBUILDER_ASSETS is set to $KUBEBUILDER_ASSETS, but it holds no executable $tool" >&2
      exit 2
    }
  done
  exit 0
fi

mkdir -p "${CONTROL_PLANE_DIR:-$here/../../target/control-plane}/bin"
out=$(cd "${CONTROL_PLANE_DIR:-$here/../../target/control-plane}" && pwd)
bin=$out/bin
stamp=$out/stamp
want=$({ cat "$here/go.mod" "$here/go.sum" "$here/build.sh"; uname -sm; } | cksum)

fresh() {
  [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] || return 1
  local tool
  for tool in "${tools[@]}"; do [ -x "$bin/$tool" ] || return 1; done
}
fresh && exit 0

command -v go >/dev/null || {
  echo "the control plane is built with Go: install go 1.26 or newer (https://go.dev/dl), or point KUBEBUILDER_ASSETS at a folder with ${tools[*]}" >&2
  exit 2
}

# Two runs at once would do the same work twice; the second waits and then finds the stamp. Where
# there is no flock (macOS), the renames below still keep every binary whole.
if command -v flock >/dev/null; then
  exec 9>"$out/lock"
  flock -n 9 || {
    echo "control plane: another build is running; waiting for it" >&2
    flock 9
  }
  ! fresh || exit 0
fi

ticker=
trap '[ -z "$ticker" ] || kill "$ticker" 2>/dev/null || true; rm -f "$bin"/.*."$$"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -f "$stamp"

cd "$here"
export CGO_ENABLED=0 GOWORK=off
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
minor=${minor%%.*}
# Without these the API server calls itself v0.0.0, and kubectl warns of the skew.
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
done

# step NUMBER TOOL PACKAGE
step() {
  local started=$SECONDS
  echo "control plane $1/3: building $2 (cached afterwards)" >&2
  # No child keeps descriptor 9, or the lock would outlive a run that was killed; and the sleep
  # keeps none of ours, or a pipe that reads this output would stay open for half a minute.
  (while sleep 30 2>/dev/null; do echo "  … $2: $((SECONDS - started)) s" >&2; done) 9>&- >/dev/null &
  ticker=$!
  go build -trimpath -ldflags "$flags" -o "$bin/.$2.$$" "$3" >&2 9>&-
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  ticker=
  mv -f "$bin/.$2.$$" "$bin/$2"
}

echo "control plane: Kubernetes $version from the Go module proxy; about 6 minutes the first time on 2 cores" >&2
go mod download >&2
step 1 etcd go.etcd.io/etcd/server/v3
step 2 kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
step 3 kubectl k8s.io/kubernetes/cmd/kubectl

said=$("$bin/kube-apiserver" --version)
[ "$said" = "Kubernetes $version" ] || {
  echo "kube-apiserver calls itself \"$said\" instead of \"Kubernetes $version\"" >&2
  exit 1
}
echo "$want" >"$stamp.$$"
mv -f "$stamp.$$" "$stamp"
echo "control plane: ready in $bin after $SECONDS s" >&2
