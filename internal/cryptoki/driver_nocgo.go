//go:build !cgo

package cryptoki

import "github.com/keystead/terraform-provider-hsm/internal/fault"

// openModule explains why this build has no driver. Documentation, static
// analysis and foreign platforms build without cgo.
func openModule(path string) (driver, error) {
	return nil, &fault.Error{
		Kind: fault.Unavailable, Op: "load PKCS#11 module", Subject: "module " + path,
		Problem: "This build cannot open PKCS#11 modules (it was built without cgo).",
		Hint:    "Install a build with cgo (CGO_ENABLED=1), such as the released binaries.",
	}
}
