#!/usr/bin/env bash
# Builds the control plane that the tests and the demo run on, from the modules pinned in go.mod:
# kube-apiserver, etcd and kubectl, into target/control-plane/bin. A second run finds the stamp
# and does nothing; a first one takes some minutes on two cores and says how far it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${CONTROL_PLANE_DIR:-$here/../../target/control-plane}
bin=$out/bin

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for tool in kube-apiserver etcd kubectl; do
    [ -x "$KUBEBUILDER_ASSETS/$tool" ] || { echo "KUBEBUILDER_ASSETS is set to $KUBEBUILDER_ASSETS, but it holds no $tool" >&2; exit 2; }
  done
  exit 0
fi

command -v go >/dev/null || {
  echo "the control plane is built with Go: install go 1.26 or newer (https://go.dev/dl), or point KUBEBUILDER_ASSETS at a folder with kube-apiserver, etcd and kubectl" >&2
  exit 2
}

mkdir -p "$bin"
stamp=$out/stamp
want=$(cat "$here/go.mod" "$here/go.sum" "$here/build.sh" | cksum)
[ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && exit 0

cd "$here"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}; minor=${minor%%.*}
# Without these the API server calls itself v0.0.0, and kubectl warns of the skew.
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
done

step() {
  echo "control plane $1/3: building $2 (cached afterwards)" >&2
  CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$bin/$2" "$3" &
  local build=$! started=$SECONDS
  while kill -0 "$build" 2>/dev/null; do
    sleep 1
    (( (SECONDS - started) % 30 != 0 )) || (( SECONDS == started )) ||
      echo "  … $2: $((SECONDS - started)) s" >&2
  done
  wait "$build"
}

echo "control plane: Kubernetes $version from the Go module proxy; about 6 minutes the first time on 2 cores" >&2
go mod download
step 1 etcd go.etcd.io/etcd/server/v3
step 2 kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
step 3 kubectl k8s.io/kubernetes/cmd/kubectl
echo "$want" > "$stamp"
