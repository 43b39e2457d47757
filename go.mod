module github.com/keystead/terraform-provider-hsm

go 1.26

require github.com/miekg/pkcs11 v1.1.2
