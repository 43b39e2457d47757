// Package keyring is the vocabulary of the domain: algorithms, operations, keys
// with numbered versions, and the state a version is in.
//
// It is pure. It knows neither Terraform nor PKCS#11, reads no clock and does no
// I/O; everything it decides, it decides from values. Terms are those of NIST
// SP 800-57 part 1 rev. 5, section 7 (key states) and section 5.3 (cryptoperiods).
package keyring
