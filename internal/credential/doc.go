// Package credential says who may call: it issues, rotates, revokes and verifies the
// credentials of API callers.
//
// A credential has numbered versions, like a key. Of a public_key credential each
// version is a public key whose private half only the caller has. Of a shared_secret
// credential each version is a secret that both sides know; it is not stored but
// derived, whenever it is needed, with a key that never leaves the HSM (see derive.go
// for the derivation). It leaves this package in two ways only: sealed to recipients
// with age, and through Service.Secret. Verifying does not hand it out.
//
// The package knows neither Terraform nor PKCS#11. Records are kept through
// catalog.Records; every verb is one write, so that a kill leaves a credential as it
// was or as it was to be.
package credential
