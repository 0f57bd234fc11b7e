#!/usr/bin/env bash
# The main job, end to end: a real API server, a real registry, simulated clouds, and the operator with
# exactly the rights of deploy/rbac.yaml. `make demo` builds what this needs. Ends everything it
# started; with KEEP=1 it waits for Ctrl-C first.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=target/debug
tools=${KUBEBUILDER_ASSETS:-target/control-plane/bin}
built=${CONTROL_PLANE_DIR:-target/control-plane}/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/imageref-demo-XXXXXX")
export KUBECONFIG=$work/admin.kubeconfig

say() { printf '\n\033[1m== %s\033[0m (%d s)\n' "$*" "$SECONDS"; }
kubectl() { "$tools/kubectl" "$@"; }

finish() {
  status=$?
  trap - EXIT INT TERM
  [ -z "${nap:-}" ] || kill "$nap" 2>/dev/null || true
  # Each process ends when the pipe that it was started with is closed.
  exec 4>&- 5>&- 7>&- 8>&- 9>&-
  for file in cloud registry cluster operator webhook; do
    if [ "$status" -ne 0 ] && [ -s "$work/$file.log" ]; then
      echo "--- last lines of $file" >&2
      tail -n 15 "$work/$file.log" >&2
    fi
  done
  for pid in "${cloud:-}" "${registry:-}" "${cluster:-}" "${operator:-}" "${webhook:-}"; do
    [ -z "$pid" ] || while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  done
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# until_true LIMIT WHAT COMMAND…: waits for the command to succeed, and says what it waited for.
until_true() {
  local limit=$1 what=$2
  shift 2
  local end=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "error: no $what within $limit s" >&2
      return 1
    fi
    sleep 0.1
  done
}

# ask METHOD URL TYPE BODY: prints where the answer leads to, if it says so.
ask() {
  local method=$1 authority=${2#http://} type=$3 body=$4 reply line path
  path=/${authority#*/}
  authority=${authority%%/*}
  exec 6<>"/dev/tcp/${authority%:*}/${authority#*:}"
  printf '%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
    "$method" "$path" "$authority" "$type" "${#body}" "$body" >&6
  read -r reply <&6
  while read -r line <&6 && line=${line%$'\r'} && [ -n "$line" ]; do
    case $line in [Ll]ocation:*) echo "${line#*: }" ;; esac
  done
  exec 6>&-
  case $reply in *" 2"*) ;; *) echo "error: $method $2: $reply" >&2; return 1 ;; esac
}

# Changes something on the simulated cloud, as its owner would in the console.
upstream() { ask "$1" "$cloud_url$2" application/json "$3" >/dev/null; }

# sha256 TEXT
sha256() {
  local sum
  sum=$(printf %s "$1" | if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi)
  echo "sha256:${sum%% *}"
}

# push REPOSITORY TAG ARCHITECTURE NOTE: an image without layers, as its builder would push it.
push() {
  local kind=application/vnd.docker config digest where
  config="{\"architecture\":\"$3\",\"os\":\"linux\",\"config\":{\"Labels\":{\"note\":\"$4\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"
  digest=$(sha256 "$config")
  where=$(ask POST "$registry_url/v2/$1/blobs/uploads/" text/plain "")
  ask PUT "$where&digest=$digest" application/octet-stream "$config" >/dev/null
  ask PUT "$registry_url/v2/$1/manifests/$2" "$kind.distribution.manifest.v2+json" \
    "{\"schemaVersion\":2,\"mediaType\":\"$kind.distribution.manifest.v2+json\",\"config\":{\"mediaType\":\"$kind.container.image.v1+json\",\"digest\":\"$digest\",\"size\":${#config}},\"layers\":[]}" >/dev/null
}

# account NAME FILE: a kubeconfig of a ServiceAccount.
account() {
  local config=$work/$2.kubeconfig token
  token=$(kubectl -n imageref-system create token "$1" --duration=8h)
  kubectl config view --raw --flatten >"$config"
  chmod 600 "$config"
  KUBECONFIG=$config kubectl config set-credentials "$2" --token="$token" >/dev/null
  KUBECONFIG=$config kubectl config set-context --current --user="$2" >/dev/null
}

# The references with what a registry said.
table() {
  kubectl get imageref -A -o custom-columns='NAME:.metadata.name,ARCH:.status.arch,PLATFORMS:.status.platforms,DIGEST:.status.digest'
}

say "starting the simulated clouds, a registry and a Kubernetes API server"
exec 7> >(exec "$bin/fakecloud" --until-stdin-closes --port-file "$work/cloud" >"$work/cloud.log" 2>&1)
cloud=$!
cat >"$work/registry.yml" <<'END'
version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {inmemory: {}}
http: {addr: 127.0.0.1:0}
END
exec 5> >(exec 7>&-; OTEL_TRACES_EXPORTER=none exec sh tests/cluster/src/guard.sh "" \
  "$built/registry" serve "$work/registry.yml" >"$work/registry.log" 2>&1)
registry=$!
exec 8> >(exec 5>&- 7>&-; exec "$bin/testcluster" up --until-stdin-closes --kubeconfig "$KUBECONFIG" \
  --ready-file "$work/cluster" >"$work/cluster.log" 2>&1)
cluster=$!
until_true 20 "simulated cloud" test -s "$work/cloud"
until_true 20 "registry" grep -q 'listening on 127.0.0.1' "$work/registry.log"
registry_url=http://127.0.0.1:$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/registry.log" | head -n 1)
push ai-team/mindspore-train 2.3.0-aarch64-snt9b-20240525100222-259922e arm64 first
push ai-team/mindspore-train 2.4.0-aarch64 arm64 second
push ai-team/llm-serving v1.1 amd64 first
push ai-team/train v3 amd64 train
until_true 90 "API server" test -s "$work/cluster"
cloud_url=$(cat "$work/cloud")
echo "clouds at $cloud_url, registry at $registry_url, $(kubectl version 2>/dev/null | grep Server)"

say "installing the CRDs and the operator's rights"
kubectl apply -f crds/ -f deploy/rbac.yaml
kubectl wait --for=condition=Established --timeout=30s crd --all >/dev/null
account imageref operator

say "starting the operator as ServiceAccount imageref-system/imageref"
# The platforms' image hosts stand for the registry here: nothing leaves this machine.
exec 9> >(exec 5>&- 7>&- 8>&-; KUBECONFIG=$work/operator.kubeconfig exec sh tests/cluster/src/guard.sh "" \
  "$bin/imageref" controller --insecure-loopback --allow-endpoint "$cloud_url" \
  --registry-mirror "swr.cn-north-4.myhuaweicloud.com=$registry_url" \
  --registry-mirror "demo-registry.cn-hangzhou.cr.aliyuncs.com=$registry_url" \
  --metrics-address 127.0.0.1:0 >"$work/operator.log" 2>&1)
operator=$!

say "applying examples/"
for file in examples/provider-*.yaml examples/{notebook,lite-server,pai,broken}.yaml; do
  sed "s|http://127.0.0.1:8099|$cloud_url|" "$file" | kubectl apply -f -
done
until_true 30 "answer for every ImageRef" bash -c "
  ! '$tools/kubectl' get imageref -A --no-headers -o custom-columns=R:.status.conditions[0].type | grep -q '<none>'"
good=$(kubectl get imageref -o name | grep -v /wrong-architecture)
# shellcheck disable=SC2086 # one word an object
kubectl wait --for=condition=Ready --timeout=30s $good
kubectl wait --for=condition=Stalled --timeout=30s imageref/wrong-architecture
echo
kubectl get imageref -A
echo
table
echo
kubectl get clusterimageprovider
echo
echo "imageref/wrong-architecture must fail, and says why:"
echo "  $(kubectl get imageref wrong-architecture -o jsonpath='{.status.conditions[?(@.type=="Ready")].message}')"

say "the image's owner moves mindspore-train to another tag; the status follows"
id=$(kubectl get imageref mindspore-train -o jsonpath='{.status.imageID}')
echo "before: $(kubectl get imageref mindspore-train -o jsonpath='{.status.swrPath}')"
upstream PATCH "/_fake/images/notebook/$id" \
  '{"tag": "2.4.0-aarch64", "swr_path": "swr.cn-north-4.myhuaweicloud.com/ai-team/mindspore-train:2.4.0-aarch64"}'
# The next look is due within the interval; the annotation asks for it now.
kubectl annotate imageref mindspore-train "imageref.dev/reconcile-requested-at=$(date +%s)" >/dev/null
kubectl wait --for=condition=Drifted --timeout=30s imageref/mindspore-train
echo "after:  $(kubectl get imageref mindspore-train -o jsonpath='{.status.swrPath}')"
echo "why:    $(kubectl get imageref mindspore-train -o jsonpath='{.status.conditions[?(@.type=="Drifted")].message}')"
kubectl get events --field-selector involvedObject.name=mindspore-train \
  -o custom-columns=TYPE:.type,REASON:.reason,MESSAGE:.message

say "somebody pushes another image under the tag of llm-serving; the digest tells"
echo "before: $(kubectl get imageref llm-serving -o jsonpath='{.status.image}')"
push ai-team/llm-serving v1.1 amd64 second
kubectl annotate imageref llm-serving "imageref.dev/reconcile-requested-at=$(date +%s)" >/dev/null
kubectl wait --for=condition=Drifted --timeout=30s imageref/llm-serving
echo "after:  $(kubectl get imageref llm-serving -o jsonpath='{.status.image}')"
echo "why:    $(kubectl get imageref llm-serving -o jsonpath='{.status.conditions[?(@.type=="Drifted")].message}')"

say "starting the webhook of admission, which makes its certificate itself"
kubectl apply -f deploy/webhook.yaml -f deploy/webhook-certificates.yaml
account imageref-webhook webhook
exec 4> >(exec 5>&- 7>&- 8>&- 9>&-; KUBECONFIG=$work/webhook.kubeconfig exec sh tests/cluster/src/guard.sh "" \
  "$bin/imageref" webhook --address 127.0.0.1:0 --tls-names 127.0.0.1 --metrics-address 127.0.0.1:0 \
  >"$work/webhook.log" 2>&1)
webhook=$!
until_true 30 "webhook" grep -q 'everything is listed' "$work/webhook.log"
address=$(sed -n 's/.*reviews are served.*address=\([0-9.:]*\).*/\1/p' "$work/webhook.log")
# No Service leads anywhere here: the API server calls an address.
sed "s|service: {name: imageref-webhook, namespace: imageref-system, path: \(/[a-z/]*\)}|url: https://$address\1|" \
  deploy/webhook.yaml | kubectl apply -f - >/dev/null
kubectl label namespace default imageref.dev/admission=enforce
# No controllers run here, and a pod needs the ServiceAccount that they would make.
kubectl create serviceaccount default >/dev/null
run() { kubectl run "$1" --restart=Never --image="$2" "${@:3}"; }
until_true 30 "refusal by the API server" bash -c "
  ! '$tools/kubectl' run probe --dry-run=server --image=busybox"

say "a pod that uses a declared image is accepted; others are refused, with what to do"
image=$(kubectl get imageref llm-serving -o jsonpath='{.status.image}')
run serving "$image"
if run undeclared busybox:1.36; then exit 1; fi
if run old "${image%%:*}:v1.0"; then exit 1; fi
if run misplaced "$(kubectl get imageref mindspore-train -o jsonpath='{.status.image}')" \
  --overrides='{"spec": {"nodeSelector": {"kubernetes.io/arch": "amd64"}}}'; then exit 1; fi

if [ -n "${KEEP:-}" ]; then
  say "it keeps running until Ctrl-C; in another terminal:"
  echo "  export KUBECONFIG=$KUBECONFIG PATH=$(cd "$tools" && pwd):\$PATH"
  echo "  kubectl get imageref -A -o wide --watch"
  echo "  kubectl describe imageref wrong-architecture"
  echo "  kubectl patch imageref wrong-architecture --type=merge -p '{\"spec\":{\"expect\":{\"arch\":[\"arm64\"]}}}'"
  # Whatever inherits the pipes would keep the processes going.
  while :; do
    sleep 3600 4>&- 5>&- 7>&- 8>&- 9>&- &
    nap=$!
    wait "$nap"
  done
fi
say "done"
