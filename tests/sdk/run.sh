#!/usr/bin/env bash
# Drives the vendors' own SDKs, unmodified, against the simulated clouds: see README.md beside this file.
# Ends with the line "N passed, N failed"; fails if any case failed.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
target="${CARGO_TARGET_DIR:-$root/target}"
venv="$target/sdk-venv"

# Installed again only when the list of packages has changed.
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi

(cd "$root" && cargo build --quiet -p fakecloud)
export FAKECLOUD="$target/debug/fakecloud"
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$here/test_sdk.py" "$@"
