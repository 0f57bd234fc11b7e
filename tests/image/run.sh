#!/usr/bin/env bash
# Builds the container image from the program that is compiled here, looks at what is in it, and starts
# it: alone, and as the controller beside a real API server, on a root that cannot be written to.
# Needs buildah and no registry. Ends with "N passed, N failed"; without buildah it says that it is
# skipped, and fails where CI=true.
#   BUILT=1   the image's folder target/image/ARCH is there already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

limit=25000000
name=localhost/imageref:test
case $(uname -m) in
  x86_64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) echo "error: no image for $(uname -m)" >&2; exit 2 ;;
esac
PATH=$PATH:$PWD/target/control-plane/bin
export PATH

skip() {
  if [ "${CI:-}" = true ]; then
    echo "error: $1" >&2
    exit 1
  fi
  echo "image: skipped: $1" >&2
  exit 0
}

if [ "${CI:-}" = true ] && [ "$EUID" -eq 0 ] && command -v apt-get >/dev/null; then
  tests/image/toolchain.sh "$arch"
  command -v buildah >/dev/null || apt-get install --quiet=2 --yes --no-install-recommends buildah >/dev/null
fi
command -v buildah >/dev/null || skip "buildah is missing: apt-get install buildah"
command -v jq >/dev/null || skip "jq is missing: run tests/cluster/build.sh, or apt-get install jq"
[ "$EUID" -eq 0 ] || skip "the image is started in a root of its own, which takes root: run it with sudo"

[ -n "${BUILT:-}" ] || tests/image/compile.sh "$arch" "target/image/$arch"
mkdir -p target
work=$(mktemp -d "$PWD/target/image-test-XXXXXX")
# Storage of its own: nothing of the machine's is read, changed or left behind.
builder() { tests/image/buildah.sh "$work/storage" "$@"; }

container=
finish() {
  status=$?
  trap - EXIT INT TERM
  # The control plane ends when the pipe that it was started with is closed.
  exec 8>&-
  [ -z "${operator:-}" ] || kill "$operator" 2>/dev/null || true
  if [ "$status" -ne 0 ]; then
    for file in cluster operator; do
      [ ! -s "$work/$file.log" ] || { echo "--- last lines of $file" >&2; tail -n 15 "$work/$file.log" >&2; }
    done
  fi
  for pid in "${cluster:-}" "${operator:-}"; do
    [ -z "$pid" ] || while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  done
  [ -z "$container" ] || builder rm "$container" >/dev/null
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

passed=0 failed=0
# check WHAT COMMAND…
check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok: $what"
  else
    failed=$((failed + 1))
    echo "FAILED: $what" >&2
  fi
}
# equal WHAT WANTED FOUND
equal() {
  if [ "$2" = "$3" ]; then check "$1" true; else check "$1: $3 instead of $2" false; fi
}
# until_true LIMIT COMMAND…
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
builder build --quiet --target local --build-arg REVISION=abc --platform "linux/$arch" --tag "$name" . \
  >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
container=$(builder from "$name")
root=$(builder mount "$container")

# What is in it.
size=$(du --apparent-size --block-size=1 --summarize "$root" | cut -f 1)
check "the image is $size bytes, at most $limit" test "$size" -le "$limit"
equal "nothing else is in it" "etc/ssl/certs/ca-certificates.crt imageref sbom.json" \
  "$(cd "$root" && find . -type f -printf '%P\n' | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//')"
check "the program needs no interpreter and no library" \
  sh -c '! readelf --wide --program-headers --dynamic "$1" | grep -E "INTERP|NEEDED"' - "$root/imageref"
check "whoever runs it cannot change it" sh -c '[ -z "$(find "$1" -perm /022 -o ! -user 0)" ]' - "$root"
inspect=$(builder inspect --type image "$name")
config() { jq -r ".OCIv1.$1" <<<"$inspect"; }
equal "the user" "65532:65532" "$(config config.User)"
equal "the entry point" '["/imageref"]' "$(config 'config.Entrypoint | tojson')"
equal "the architecture" "$arch" "$(config architecture)"
label() { config "config.Labels[\"org.opencontainers.image.$1\"]"; }
equal "the label version, by default" "$version" "$(label version)"
equal "the label revision" abc "$(label revision)"
equal "the label licenses" Apache-2.0 "$(label licenses)"
equal "the label title" imageref "$(label title)"
bom=$root/sbom.json
equal "the list of contents is CycloneDX" "CycloneDX 1.5" "$(jq -r '"\(.bomFormat) \(.specVersion)"' "$bom")"
equal "it is about this version" "imageref $version" \
  "$(jq -r '.metadata.component | "\(.name) \(.version)"' "$bom")"
for crate in kube rustls aws-lc-sys mimalloc tokio; do
  wanted=$(awk -v name="\"$crate\"" -F ' = ' '$1 == "name" { is = ($2 == name) } is && $1 == "version" { gsub(/"/, "", $2); print $2 }' Cargo.lock)
  equal "it has $crate as Cargo.lock does" "$wanted" \
    "$(jq -r --arg name "$crate" '[.components[] | select(.name == $name) | .version] | join("\n")' "$bom")"
done
equal "crates that only test are not in it" "" "$(jq -r '.components[] | select(.name == "proptest") | .version' "$bom")"
equal "every crate in it has a checksum and a licence" 0 \
  "$(jq '[.components[] | select(.name != "rust-std") | select((.hashes | length) == 0 or (.licenses | length) == 0)] | length' "$bom")"

# Started as a container runtime does it.
equal "it says its version" "imageref $version" "$(builder run --isolation chroot "$container" -- /imageref --version)"
check "it prints the CRDs" sh -c '[ "$("$@" | grep -c "^kind: CustomResourceDefinition")" -ge 4 ]' - \
  tests/image/buildah.sh "$work/storage" run --isolation chroot "$container" -- /imageref crd

# Started as a kubelet does it: its ServiceAccount and the node's names laid over a root that is
# read-only, without /tmp and without a shell.
make --silent control-plane
cargo build --quiet -p cluster --bin testcluster
export KUBECONFIG=$work/admin.kubeconfig
exec 8> >(exec target/debug/testcluster up --until-stdin-closes --kubeconfig "$KUBECONFIG" \
  --ready-file "$work/ready" >"$work/cluster.log" 2>&1)
cluster=$!
until_true 120 test -s "$work/ready" || { echo "error: no control plane" >&2; exit 1; }
kubectl apply --filename crds --filename deploy/rbac.yaml >/dev/null
server=$(kubectl config view --raw --output 'jsonpath={.clusters[0].cluster.server}')
authority=${server#https://}
pod=$work/pod
account=$pod/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p "$pod/etc" "$pod/proc" "$account"
cp -a "$root/." "$pod"
echo controller-0 >"$pod/etc/hostname"
kubectl --namespace imageref-system create token imageref >"$account/token"
kubectl config view --raw --flatten --output 'jsonpath={.clusters[0].cluster.certificate-authority-data}' |
  base64 --decode >"$account/ca.crt"
printf imageref-system >"$account/namespace"
chmod -R go+rX "$pod"

# start LOG ARGUMENT…: in the background, in a mount and process namespace of its own.
start() {
  local log=$1
  shift
  unshare --mount --pid --fork --kill-child sh -c '
    pod=$1 authority=$2
    shift 2
    mount --bind "$pod" "$pod"
    mount -t proc proc "$pod/proc"
    mount -o remount,bind,ro "$pod"
    export KUBERNETES_SERVICE_HOST="${authority%:*}" KUBERNETES_SERVICE_PORT="${authority#*:}"
    unset KUBECONFIG SSL_CERT_FILE SSL_CERT_DIR HOME
    exec chroot --userspec=65532:65532 "$pod" /imageref "$@"' - "$pod" "$authority" "$@" >"$log" 2>&1 8>&- &
}
# port LOG: where metrics and health are served.
port() { sed -n 's/.*metrics and health are served.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$1"; }
# get PORT PATH: the status.
get() {
  local line
  exec 6<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' "$2" >&6
  read -r line <&6
  exec 6>&-
  cut -d ' ' -f 2 <<<"$line"
}
is_ready() { [ "$(get "$(port "$work/operator.log")" /readyz)" = 200 ]; }

start "$work/operator.log" controller --metrics-address 127.0.0.1:0
operator=$!
check "the controller becomes ready, as nobody, on a root that is read-only" until_true 60 is_ready
check "it lives" test "$(get "$(port "$work/operator.log")" /livez)" = 200
holder=$(kubectl --namespace imageref-system get lease imageref-controller --output 'jsonpath={.spec.holderIdentity}')
check "it holds the lease by the pod's name: $holder" test "${holder%%_*}" = controller-0
kill -TERM "$(pgrep --parent "$operator")"
ended=0
wait "$operator" || ended=$?
operator=
equal "it ends with 0 after SIGTERM" 0 "$ended"

# The certificates are found where they are: without them no client can be made.
rm "$pod/etc/ssl/certs/ca-certificates.crt"
start "$work/none.log" controller --metrics-address 127.0.0.1:0
ended=0
wait $! || ended=$?
check "without its certificates it says so and ends" sh -c '[ "$1" = 2 ] && grep -q -i certificate "$2"' - "$ended" "$work/none.log"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
