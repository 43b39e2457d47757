#!/usr/bin/env bash
# Prints the path of the command line tool to test with: what
# TF_ACC_TERRAFORM_PATH names, or terraform or tofu from PATH, or else OpenTofu,
# built from its Go module (pinned in tools/tofu/go.mod) into .tools/.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${TF_ACC_TERRAFORM_PATH:-}" ]; then
  command -v "$TF_ACC_TERRAFORM_PATH" && exit
  echo "TF_ACC_TERRAFORM_PATH is $TF_ACC_TERRAFORM_PATH, which cannot be run: correct it, or unset it." >&2
  exit 1
fi
command -v terraform && exit
command -v tofu && exit

version=$(awk '$1 == "github.com/opentofu/opentofu" { print $2 }' tools/tofu/go.mod)
tofu=$PWD/.tools/opentofu-$version/tofu
if [ ! -x "$tofu" ]; then
  echo "neither terraform nor tofu is on PATH: building OpenTofu $version from its Go module; this takes some minutes, once" >&2
  (cd tools/tofu && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" \
    -o "$tofu" github.com/opentofu/opentofu/cmd/tofu) >&2 || {
    echo "OpenTofu could not be built: put terraform or tofu on PATH, or make the Go module proxy reachable." >&2
    exit 1
  }
fi
echo "$tofu"
