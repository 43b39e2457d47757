// Package hsm puts keyring operations on a PKCS#11 token: it turns an order for
// a key into templates, proves that what the token made is what was ordered, and
// tells what a token can do by doing it.
//
// It refuses to decide anything about a key's life. It knows no states, no
// versions and no time; whoever calls says what a key may do now, and this
// package makes the token obey and reports whether it does.
//
// Nothing is believed that can be tried. Mechanism lists name what is not there,
// attributes read false while the operation goes on; so every question about a
// key or a token ends in one of three ways: performed, refused, or could not tell,
// and the last one is an error that is never remembered.
//
// The terms and section numbers are those of the PKCS #11 Cryptographic Token
// Interface Base Specification version 2.40, and of its Current Mechanisms volume.
package hsm
