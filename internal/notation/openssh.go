package notation

import (
	"crypto/x509"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// OpenSSH returns a key as a line of an authorized_keys file (RFC 4253 section 6.6, RFC
// 5656, RFC 8709), without an end of line; an empty comment is left out. A key of a kind
// that SSH has no name for, and a comment that is no line of text, are fault.Invalid.
func OpenSSH(key keyring.PublicKey, comment string) (string, error) {
	if comment != strings.TrimSpace(comment) || strings.ContainsFunc(comment, unicode.IsControl) {
		return "", &fault.Error{
			Kind: fault.Invalid, Op: "write OpenSSH public key", Subject: "comment", Problem: "It is not one line of text, or has blanks around it.",
			Hint: "Leave out line breaks and other control characters, and the blanks around it: the line would not be read as it is meant.",
		}
	}
	algorithm, err := key.Algorithm()
	if err != nil {
		return "", err
	}
	// What crypto/x509 does not know, SSH does not know either: secp256k1 and Ed448.
	parsed, err := x509.ParsePKIXPublicKey(key)
	if err != nil {
		return "", &fault.Error{
			Kind: fault.Invalid, Op: "write OpenSSH public key", Problem: fmt.Sprintf("OpenSSH has no %s keys.", algorithm),
			Hint: "Give the public_key_pem of an ED25519, EC_P256, EC_P384, EC_P521 or RSA key.",
		}
	}
	public, err := ssh.NewPublicKey(parsed)
	if err != nil {
		return "", &fault.Error{Kind: fault.Internal, Op: "write OpenSSH public key", Problem: "The key cannot be written.", Cause: err}
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(public)), "\n")
	if comment != "" {
		line += " " + comment
	}
	return line, nil
}
