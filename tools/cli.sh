#!/usr/bin/env bash
# Prints the path of the command line tool to test with: what
# TF_ACC_TERRAFORM_PATH names, or terraform or tofu from PATH, or else OpenTofu,
# which tools/tofu.sh builds.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${TF_ACC_TERRAFORM_PATH:-}" ]; then
  command -v "$TF_ACC_TERRAFORM_PATH" && exit
  echo "TF_ACC_TERRAFORM_PATH is $TF_ACC_TERRAFORM_PATH, which cannot be run: correct it, or unset it." >&2
  exit 1
fi
command -v terraform && exit
command -v tofu && exit

exec tools/tofu.sh
