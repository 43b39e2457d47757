// Package notation writes public keys the way other software writes them down: as an
// address on a chain, or as a line of OpenSSH's.
//
// It is pure, and knows public keys only: nothing secret comes in or goes out. The
// encodings are those of their standards, nothing wider.
package notation
