package keyring

import (
	"bytes"
	"cmp"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

const hintPEM = "Give one PEM block with the label PUBLIC KEY, such as public_key_pem, or what `openssl pkey -pubin -in KEY -pubout -ec_conv_form uncompressed -ec_param_enc named_curve` writes."

// ParsePublicKeyPEM reads what PEM writes: one "PUBLIC KEY" block (RFC 7468 section 13)
// and nothing beside it. Anything else is fault.Invalid; no part of the text gets into
// the error, since it may be a private key.
func ParsePublicKeyPEM(text string) (PublicKey, error) {
	invalid := func(problem, hint string) (PublicKey, error) {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "read public key", Problem: problem, Hint: hint}
	}
	text = strings.TrimSpace(text)
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return invalid("This is not a public key in PEM.", hintPEM)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return invalid("This is a private key, which nobody but its owner must have.", "Treat it as disclosed: make a new one, and give its public half.")
	case strings.HasSuffix(block.Type, "CERTIFICATE REQUEST"):
		return invalid("This is a request for a certificate, not a public key.", "Take the key out of it: `openssl req -in FILE -pubkey -noout`.")
	case strings.HasSuffix(block.Type, "CERTIFICATE"):
		return invalid("This is a certificate, not a public key.", "Take the key out of it: `openssl x509 -in FILE -pubkey -noout`.")
	case block.Type != "PUBLIC KEY":
		return invalid("This kind of PEM block is not a public key.", hintPEM)
	case len(bytes.TrimSpace(rest)) > 0 || len(block.Headers) > 0 || !strings.HasPrefix(text, "-----BEGIN "):
		return invalid("There is something beside the public key.", hintPEM)
	}
	key := PublicKey(block.Bytes)
	if _, err := key.Algorithm(); err != nil {
		if f, ok := errors.AsType[*fault.Error](err); ok {
			return invalid(f.Problem, cmp.Or(f.Hint, hintPEM))
		}
		return nil, err
	}
	return key, nil
}
