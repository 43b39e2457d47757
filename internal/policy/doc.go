// Package policy says who may do what with which key: it compiles, validates and
// lints access policies, decides requests, and lists the access that an environment's
// policies give together.
//
// Cedar decides, by default it denies. No Cedar type leaves this package. Some rules
// are built in and cannot be removed: nothing across environments, nothing with a
// credential or a key version whose state does not allow it, nothing when an
// evaluation fails, and sign_digest only where a policy names it.
//
// The package knows neither Terraform nor PKCS#11, and not how credentials are
// verified: it takes them as they are described by a World.
package policy
