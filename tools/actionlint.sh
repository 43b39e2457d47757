#!/usr/bin/env bash
# Checks the workflows in .github/, the scripts in them included, with the version of
# actionlint that is pinned here.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/packages.sh shellcheck
GOFLAGS='' go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 -color
# What a tag stands for can be moved; what a hash stands for cannot.
# Those in here are of the same commit.
if grep -rnE --include='*.yml' --include='*.yaml' '\buses:' .github |
  grep -vE 'uses: ([A-Za-z0-9/_-]+@[0-9a-f]{40} # v[0-9]|\./\.github/)'; then
  echo "Pin the actions above by the hash of a commit, with the version in a comment." >&2
  exit 1
fi
