package credential

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"regexp"
	"strings"
	"sync"
)

// privateMarks are in private keys only: PEM and SSH2 of every kind, the body of an
// OpenSSH key whose first line was lost, PuTTY, age and its plugins, and the secret
// members of a JSON Web Key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
var privateMarks = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(begin|end) [a-z0-9 ]*private key|(?-i:b3BlbnNzaC1rZXktdjE)|putty-user-key-file|private-lines:|age-secret-key-|age-plugin-|["'][dk]\\*["']\s*:`)
})

// IsPrivate reports whether a text that was meant to be public looks like a private key
// (PEM, OpenSSH, PuTTY, JWK, age), whatever it says of itself. It must not be shown to
// anyone then, nor quoted from where it was written.
func IsPrivate(text string) bool {
	if privateMarks().MatchString(text) {
		return true
	}
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if isPrivateDER(block.Bytes) {
			return true
		}
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	return err == nil && isPrivateDER(der)
}

// isPrivateDER looks at how a structure begins, whatever it is called: a private key with
// the small number of a version (RFC 5958 section 2, RFC 5915 section 3, RFC 8017
// appendix A.1.2, RFC 7292 section 4), and where a public key has bits an encrypted
// private one has octets (RFC 5958 section 3).
func isPrivateDER(der []byte) bool {
	var outer, first, second asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence {
		return false
	}
	rest, err := asn1.Unmarshal(outer.Bytes, &first)
	if err != nil {
		return false
	}
	if _, err = asn1.Unmarshal(rest, &second); err != nil {
		return false
	}
	switch first.Tag {
	case asn1.TagInteger:
		return len(first.Bytes) == 1 && first.Bytes[0] <= 3
	case asn1.TagSequence:
		return second.Tag == asn1.TagOctetString
	}
	return false
}
