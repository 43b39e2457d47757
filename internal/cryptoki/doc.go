// Package cryptoki talks to a PKCS#11 module: it loads it, finds the one token
// that was asked for, logs in once, and performs operations on objects.
//
// It is the only package with cgo and the only importer of miekg/pkcs11; no type
// of that library leaves it. Without cgo the package compiles, and opening a
// module fails with fault.Unavailable.
//
// What it promises beyond PKCS#11 itself:
//
//   - A wrong PIN is tried once in the life of the process, and never when the
//     token says that one more failure would lock it.
//   - Calls into one module do not overlap within the process, because most software
//     tokens lose or mix up objects when they do; see Config.Concurrent. Where that is
//     known to be safe (Profile.ParallelUse) keys are used beside each other.
//   - "Not there" is an answer of [Token.ConfirmAbsent] only. A search that finds
//     nothing proves nothing: a software token whose directory vanished answers
//     "no objects, OK".
//   - A handle that this package gave out never denotes another object later,
//     even if the module reuses its own handles.
//   - The value of a key is never asked for.
//
// It knows nothing of keys' names, versions, states or records; that is for the
// packages above. Section numbers refer to PKCS #11 Cryptographic Token Interface
// Base Specification version 2.40, if nothing else is said.
//
// Names of constants are those of the standard (CKA_LABEL, not AttrLabel), against
// Go's habit, so that they can be looked up there.
package cryptoki
