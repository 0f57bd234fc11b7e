#!/usr/bin/env bash
# buildah as it runs in a sandbox too: without overlays, namespaces or a registry.
#   buildah.sh STORAGE COMMAND…
set -euo pipefail
storage=$1 command=$2
shift 2
case $command in
  # Options of these commands only.
  build) set -- --isolation chroot --format oci "$@" ;;
esac
exec buildah --storage-driver vfs --root "$storage/root" --runroot "$storage/run" "$command" "$@"
