#!/usr/bin/env bash
# The main job, end to end: a real API server, simulated clouds, and the operator with exactly the
# rights of deploy/rbac.yaml. `make demo` builds what this needs. Ends everything it started; with
# KEEP=1 it waits for Ctrl-C first.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=target/debug
tools=${KUBEBUILDER_ASSETS:-target/control-plane/bin}
work=$(mktemp -d "${TMPDIR:-/tmp}/imageref-demo-XXXXXX")
export KUBECONFIG=$work/admin.kubeconfig

say() { printf '\n\033[1m== %s\033[0m (%d s)\n' "$*" "$SECONDS"; }
kubectl() { "$tools/kubectl" "$@"; }

finish() {
  status=$?
  trap - EXIT INT TERM
  [ -z "${nap:-}" ] || kill "$nap" 2>/dev/null || true
  # Each process ends when the pipe that it was started with is closed.
  exec 7>&- 8>&- 9>&-
  for file in cloud cluster operator; do
    if [ "$status" -ne 0 ] && [ -s "$work/$file.log" ]; then
      echo "--- last lines of $file" >&2
      tail -n 15 "$work/$file.log" >&2
    fi
  done
  for pid in "${cloud:-}" "${cluster:-}" "${operator:-}"; do
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

# Changes something on the simulated cloud, as its owner would in the console.
upstream() {
  local method=$1 path=$2 body=$3 authority=${cloud_url#http://} reply
  exec 6<>"/dev/tcp/${authority%:*}/${authority#*:}"
  printf '%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
    "$method" "$path" "$authority" "${#body}" "$body" >&6
  read -r reply <&6
  exec 6>&-
  case $reply in *" 2"*) ;; *) echo "error: the simulated cloud answered $reply" >&2; return 1 ;; esac
}

say "starting the simulated clouds and a Kubernetes API server"
exec 7> >(exec "$bin/fakecloud" --until-stdin-closes --port-file "$work/cloud" >"$work/cloud.log" 2>&1)
cloud=$!
exec 8> >(exec 7>&-; exec "$bin/testcluster" up --until-stdin-closes --kubeconfig "$KUBECONFIG" \
  --ready-file "$work/cluster" >"$work/cluster.log" 2>&1)
cluster=$!
until_true 20 "simulated cloud" test -s "$work/cloud"
until_true 90 "API server" test -s "$work/cluster"
cloud_url=$(cat "$work/cloud")
echo "clouds at $cloud_url, $(kubectl version 2>/dev/null | grep Server)"

say "installing the CRDs and the operator's rights"
kubectl apply -f crds/ -f deploy/rbac.yaml
kubectl wait --for=condition=Established --timeout=30s crd --all >/dev/null
token=$(kubectl -n imageref-system create token imageref --duration=8h)
kubectl config view --raw --flatten >"$work/operator.kubeconfig"
chmod 600 "$work/operator.kubeconfig"
KUBECONFIG=$work/operator.kubeconfig kubectl config set-credentials operator --token="$token" >/dev/null
KUBECONFIG=$work/operator.kubeconfig kubectl config set-context --current --user=operator >/dev/null

say "starting the operator as ServiceAccount imageref-system/imageref"
exec 9> >(exec 7>&- 8>&-; KUBECONFIG=$work/operator.kubeconfig exec sh tests/cluster/src/guard.sh "" \
  "$bin/imageref" controller --insecure-loopback --allow-endpoint "$cloud_url" --metrics-address 127.0.0.1:0 >"$work/operator.log" 2>&1)
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

if [ -n "${KEEP:-}" ]; then
  say "it keeps running until Ctrl-C; in another terminal:"
  echo "  export KUBECONFIG=$KUBECONFIG PATH=$(cd "$tools" && pwd):\$PATH"
  echo "  kubectl get imageref -A -o wide --watch"
  echo "  kubectl describe imageref wrong-architecture"
  echo "  kubectl patch imageref wrong-architecture --type=merge -p '{\"spec\":{\"expect\":{\"arch\":[\"arm64\"]}}}'"
  # Whatever inherits the pipes would keep the processes going.
  while :; do
    sleep 3600 7>&- 8>&- 9>&- &
    nap=$!
    wait "$nap"
  done
fi
say "done"
