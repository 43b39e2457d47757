package credential

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// foreignSSH names types of OpenSSH keys that are well known and not supported.
var foreignSSH = map[string]string{
	ssh.KeyAlgoRSA: "RSA", "ssh-dss": "DSA", ssh.KeyAlgoECDSA384: string(keyring.ECP384), ssh.KeyAlgoECDSA521: string(keyring.ECP521),
}

// parseOpenSSH reads the one line of a .pub file: type, key in base64, and whatever
// comment there is.
func parseOpenSSH(text string) (keyring.PublicKey, error) {
	word, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	_, isForeign := foreignSSH[word]
	switch {
	case text == "":
		return nil, refuseKey("It is empty.", howToMakeKey)
	case strings.HasPrefix(text, "---- BEGIN SSH2 "): // RFC 4716
		return nil, refuseKey("This is a key in the SSH2 format.", "Convert it: `ssh-keygen -i -f KEY`.")
	case strings.HasPrefix(text, "{"):
		return nil, refuseKey("This is JSON. A JSON Web Key is not read here.", howToMakeKey)
	case strings.ContainsAny(text, "\n\r"):
		return nil, refuseKey("It has several lines and is not PEM. A version of a credential has one key.", howToMakeKey)
	case strings.HasSuffix(word, "-cert-v01@openssh.com"):
		return nil, refuseKey("This is a certificate of OpenSSH, not a public key.", howToMakeKey)
	case strings.HasPrefix(word, "sk-"):
		return nil, refuseKey("This is the key of a security key (FIDO), which signs more than it is given, so that its signatures cannot be used here.", howToMakeKey)
	case isForeign:
		return nil, refuseKind(foreignSSH[word])
	case word != ssh.KeyAlgoED25519 && word != ssh.KeyAlgoECDSA256:
		return nil, refuseKey("It is neither PEM nor a public key in OpenSSH's format, without options before it.", howToMakeKey)
	}
	encoded, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	blob, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, refuseKey("The key in it is not in base64, or was cut off.", howToMakeKey)
	}
	parsed, err := ssh.ParsePublicKey(blob) // checks that a point is on its curve
	if held, ok := parsed.(ssh.CryptoPublicKey); ok && err == nil && parsed.Type() == word {
		switch key := held.CryptoPublicKey().(type) {
		case ed25519.PublicKey:
			return keyring.NewEdwardsPublicKey(keyring.Ed25519, key)
		case *ecdsa.PublicKey:
			point, err := key.Bytes()
			if err != nil {
				return nil, refuseMalformed(err)
			}
			return keyring.NewECPublicKey(keyring.ECP256, point)
		}
	}
	return nil, refuseKey("The key in it is malformed, not of the type that it is said to be, or no point of its curve.", howToMakeKey)
}
