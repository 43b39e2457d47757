#!/usr/bin/env bash
# Puts a provider binary into this user's local plugin mirror, where terraform
# and tofu look before they ask a registry, and prints how to refer to it.
#
# Usage: tools/install.sh BINARY VERSION
set -euo pipefail

binary=$1
version=$2
platform=$(go env GOOS)_$(go env GOARCH)
for host in registry.terraform.io registry.opentofu.org; do
  dir=$HOME/.terraform.d/plugins/$host/keystead/hsm/$version/$platform
  # Replaced, not overwritten: the old file may be running.
  mkdir -p "$dir"
  install -m 0755 "$binary" "$dir/.new"
  mv -f "$dir/.new" "$dir/terraform-provider-hsm_v$version"
  echo "installed $dir/terraform-provider-hsm_v$version"
done

cat <<TEXT

Use it with:

  terraform {
    required_providers {
      hsm = {
        source  = "keystead/hsm"
        version = "$version"
      }
    }
  }

A directory that was initialised with an earlier build of $version refuses this
one until its .terraform.lock.hcl is removed and init is run again.
TEXT
