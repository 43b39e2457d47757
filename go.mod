module github.com/keystead/terraform-provider-hsm

go 1.26
