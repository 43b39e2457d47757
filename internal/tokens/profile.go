package tokens

import (
	"maps"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Profile is what a kind of token is known to do. The probe has to find exactly this:
// less would keep people from keys that they could have, and more means that the
// profile is out of date.
type Profile struct {
	// Title is how the README calls the kind; a version is added to it.
	Title string
	// Algorithms are those of which keys can be made, with all that such keys can do.
	Algorithms map[keyring.Algorithm]keyring.Operations
	// Enforcement is advisory if only one operation of one algorithm that was switched
	// off is still performed.
	Enforcement                                keyring.Enforcement
	Attests, RestrictsMechanisms, KeepsRecords bool
	// KeysPerRun is how many keys a process can make or replace; 0 is without limit.
	// tpm2-pkcs11 keeps every key that it made or used loaded until it is finalised,
	// and a resource manager has room for a hundred objects. Terraform starts a process
	// for each run, and what fails in one is done by the next.
	KeysPerRun int
	// Remark is what the README says of it, a sentence or two.
	Remark string
}

const (
	signing    = keyring.Sign | keyring.Verify
	encrypting = keyring.Encrypt | keyring.Decrypt
	wrapping   = keyring.Wrap | keyring.Unwrap
)

// of gives several algorithms the same operations.
func of(ops keyring.Operations, algorithms ...keyring.Algorithm) map[keyring.Algorithm]keyring.Operations {
	m := map[keyring.Algorithm]keyring.Operations{}
	for _, a := range algorithms {
		m[a] = ops
	}
	return m
}

func join(parts ...map[keyring.Algorithm]keyring.Operations) map[keyring.Algorithm]keyring.Operations {
	all := map[keyring.Algorithm]keyring.Operations{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

var (
	aes  = []keyring.Algorithm{keyring.AES128, keyring.AES192, keyring.AES256}
	hmac = []keyring.Algorithm{keyring.HMACSHA256, keyring.HMACSHA384, keyring.HMACSHA512}
	rsa  = []keyring.Algorithm{keyring.RSA2048, keyring.RSA3072, keyring.RSA4096}
	nist = []keyring.Algorithm{keyring.ECP256, keyring.ECP384, keyring.ECP521}
)

var profiles = map[Kind]Profile{
	SoftHSM: {
		Title: "SoftHSM",
		Algorithms: join(of(signing|encrypting|wrapping, aes...), of(signing, hmac...), of(signing|encrypting|wrapping, rsa...),
			of(signing|keyring.Derive, nist...), of(signing|keyring.Derive, keyring.ECSecp256k1), of(signing, keyring.Ed25519, keyring.Ed448)),
		Enforcement: keyring.EnforcedByHSM, Attests: true, RestrictsMechanisms: true, KeepsRecords: true,
		Remark: "For tests and development: its file store can lose a key, or the token, when a process is killed.",
	},
	// p11-kit 0.24 passes on no mechanism whose parameters it does not know.
	P11Kit: {
		Title: "SoftHSM behind p11-kit's server",
		Algorithms: join(of(encrypting, aes...), of(signing, hmac...), of(signing|encrypting|wrapping, rsa...),
			of(signing, nist...), of(signing, keyring.ECSecp256k1)),
		Enforcement: keyring.EnforcedByHSM, Attests: true, RestrictsMechanisms: true, KeepsRecords: true,
		Remark: "As a stand-in for a remote module. p11-kit passes on no GCM, CMAC, key wrapping with AES, ECDH or EdDSA.",
	},
	// It says of a key that was brought along that it was always sensitive and never
	// extractable, so its word on the others proves nothing.
	OpenCryptoki: {
		Title:       "openCryptoki, software token",
		Algorithms:  join(of(encrypting|wrapping, aes...), of(signing, hmac...), of(signing|encrypting|wrapping, rsa...)),
		Enforcement: keyring.EnforcedByHSM, KeepsRecords: true,
		Remark: "No elliptic curves. Says of imported keys that they never could be extracted.",
	},
	// CKA_DERIVE is not looked at; everything else that is switched off is refused.
	NSS: {
		Title: "NSS softokn",
		Algorithms: join(of(encrypting|wrapping, aes...), of(signing, hmac...), of(signing|encrypting|wrapping, rsa...),
			of(signing|keyring.Derive, nist...)),
		Enforcement: keyring.EnforcedAdvisory,
		Remark:      "Keeps no data objects, so there is no place for the records: the provider refuses it at plan. Tried with the records in memory. What was switched off is refused but for ECDH.",
	},
	// It makes no extractable keys and takes none that were made elsewhere, so there is
	// nothing to compare its word on the others with.
	TPM: {
		Title:       "TPM 2.0, by tpm2-pkcs11",
		Algorithms:  join(of(signing, keyring.ECP256, keyring.ECP384), of(signing|encrypting, keyring.RSA2048, keyring.RSA3072)),
		Enforcement: keyring.EnforcedAdvisory, RestrictsMechanisms: true, KeepsRecords: true, KeysPerRun: 20,
		Remark: "Accepts that a key may no longer sign, and signs on. No secret keys, so no derived API secrets. Needs a resource manager, and makes some 20 keys in a run.",
	},
}

// Profile returns what is known of the kind.
func (k Kind) Profile() Profile { return profiles[k] }

// Can reports whether a key of an algorithm can do all the given operations.
func (p Profile) Can(a keyring.Algorithm, ops keyring.Operations) bool {
	return p.Algorithms[a] != keyring.None && p.Algorithms[a].Has(ops)
}
