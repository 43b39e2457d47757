#!/usr/bin/env bash
# Prints the path of golangci-lint in the version that is pinned here, after
# building it from its Go module into .tools/ if it is not there yet. It has a
# directory of its own per version, so that a new pin means a new build.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v2.15.0
dir=$PWD/.tools/golangci-lint-$version
if [ ! -x "$dir/golangci-lint" ]; then
  echo "building golangci-lint $version from its Go module; this takes a minute or two, once" >&2
  GOBIN=$dir GOFLAGS='' go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version" >&2
fi
echo "$dir/golangci-lint"
