#!/usr/bin/env bash
# Prints the directory that holds goreleaser and cyclonedx-gomod in the versions that are
# pinned here, after building them from their Go modules into .tools/ if they are not there
# yet. It has a name of its own per pin, so that a new pin means a new build.
set -euo pipefail
cd "$(dirname "$0")/.."

goreleaser=v2.16.0
cyclonedx=v1.10.0
dir=$PWD/.tools/goreleaser-$goreleaser-cyclonedx-$cyclonedx
# build COMMAND PACKAGE@VERSION makes a command, unless it is there.
build() {
  [ ! -x "$dir/$1" ] || return 0
  echo "building $2 from its Go module; this takes some minutes, once" >&2
  GOBIN=$dir GOFLAGS='' CGO_ENABLED=0 go install "$2" >&2
}
build goreleaser "github.com/goreleaser/goreleaser/v2@$goreleaser"
build cyclonedx-gomod "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$cyclonedx"
echo "$dir"
