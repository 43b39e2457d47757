#!/usr/bin/env bash
# Prints the path of OpenTofu: tofu from PATH, or else the version that is pinned in
# tools/tofu/go.mod, built from its Go module into .tools/.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v tofu && exit
version=$(awk '$1 == "github.com/opentofu/opentofu" { print $2 }' tools/tofu/go.mod)
tofu=$PWD/.tools/opentofu-$version/tofu
if [ ! -x "$tofu" ]; then
  echo "there is no tofu on PATH: building OpenTofu $version from its Go module; this takes some minutes, once" >&2
  (cd tools/tofu && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" \
    -o "$tofu" github.com/opentofu/opentofu/cmd/tofu) >&2 || {
    echo "OpenTofu could not be built: put terraform or tofu on PATH, or make the Go module proxy reachable." >&2
    exit 1
  }
fi
echo "$tofu"
