// Package certrequest composes requests for certificates (PKCS#10, RFC 2986) for a key in
// an HSM to sign.
//
// It is pure: it knows the public key, and asks for the one signature. It issues no
// certificates, and what an authority makes of a request is up to that.
package certrequest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Spec is what a certificate is requested for.
type Spec struct {
	Subject     pkix.Name
	DNSNames    []string
	IPAddresses []net.IP
	URIs        []*url.URL
	Uses        []string // of UseNames
}

// signatureAlgorithms are the schemes that certificates are requested with.
var signatureAlgorithms = map[keyring.Scheme]x509.SignatureAlgorithm{
	keyring.ES256: x509.ECDSAWithSHA256, keyring.ES384: x509.ECDSAWithSHA384, keyring.ES512: x509.ECDSAWithSHA512, keyring.EdDSA: x509.PureEd25519,
	keyring.RS256: x509.SHA256WithRSA, keyring.RS384: x509.SHA384WithRSA, keyring.RS512: x509.SHA512WithRSA,
	keyring.PS256: x509.SHA256WithRSAPSS, keyring.PS384: x509.SHA384WithRSAPSS, keyring.PS512: x509.SHA512WithRSAPSS,
}

// SchemeNames lists the schemes by which a request can be signed.
func SchemeNames() []string {
	var names []string
	for _, s := range keyring.Schemes() {
		if signatureAlgorithms[s] != x509.UnknownSignatureAlgorithm {
			names = append(names, string(s))
		}
	}
	return names
}

// CheckAlgorithm refuses (fault.Invalid) keys that no certificate is requested for:
// those without a public half, and those on curves that authorities do not take.
func CheckAlgorithm(a keyring.Algorithm) error {
	if a.IsPair() && a != keyring.ECSecp256k1 && a != keyring.Ed448 {
		return nil
	}
	return &fault.Error{
		Kind: fault.Invalid, Op: "request certificate", Problem: fmt.Sprintf("No certificate can be requested for an %s key.", a),
		Hint: "Use an RSA, EC_P256, EC_P384, EC_P521 or ED25519 key.",
	}
}

// Create makes a request for a public key, in PEM. Its one signature, by the scheme, is
// asked of sign, as keyring.Scheme.Encoded has it, and checked with the public key.
func Create(spec Spec, key keyring.PublicKey, scheme keyring.Scheme, sign func(message []byte) ([]byte, error)) (string, error) {
	algorithm, err := key.Algorithm()
	if err != nil {
		return "", err
	}
	if err := CheckAlgorithm(algorithm); err != nil {
		return "", err
	}
	public, err := x509.ParsePKIXPublicKey(key)
	if err != nil {
		return "", failed("The public key cannot be read.", err)
	}
	extensions, err := useExtensions(spec.Uses)
	if err != nil {
		return "", err
	}
	template := &x509.CertificateRequest{
		SignatureAlgorithm: signatureAlgorithms[scheme], Subject: spec.Subject,
		DNSNames: spec.DNSNames, IPAddresses: spec.IPAddresses, URIs: spec.URIs, ExtraExtensions: extensions,
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, signer{public, sign})
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return "", f // the HSM's word on it
	}
	if err != nil {
		return "", failed("The request cannot be made.", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// IsOf reports whether a request, in PEM, is of a public key. What cannot be read is of none.
func IsOf(text string, key keyring.PublicKey) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	return err == nil && bytes.Equal(request.RawSubjectPublicKeyInfo, key)
}

// signer is a private key that is somewhere else.
type signer struct {
	public crypto.PublicKey
	sign   func(message []byte) ([]byte, error)
}

var _ crypto.MessageSigner = signer{}

// Public returns the public half.
func (s signer) Public() crypto.PublicKey { return s.public }

// SignMessage signs a message, which the HSM or its driver hashes.
func (s signer) SignMessage(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.sign(message)
}

// Sign would sign a digest; x509 asks a crypto.MessageSigner for nothing but messages.
func (s signer) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, failed("A digest was to be signed.", nil)
}

// ParseIPs reads addresses; a text that is none is fault.Invalid.
func ParseIPs(texts []string) ([]net.IP, error) {
	var ips []net.IP
	for _, text := range texts {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, invalid(fmt.Sprintf("%q is not an IP address.", text), `Write it like "192.0.2.1" or "2001:db8::1".`)
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

// ParseURIs reads URIs; a text that is none, or has no scheme, is fault.Invalid, and so is one
// that would not be in the request as it is written (RFC 5280 section 7.4).
func ParseURIs(texts []string) ([]*url.URL, error) {
	var uris []*url.URL
	for _, text := range texts {
		uri, err := url.Parse(text)
		if err != nil || uri.Scheme == "" {
			return nil, invalid(fmt.Sprintf("%q is not a URI.", text), `Write it with its scheme and without spaces, like "spiffe://example.org/orders".`)
		}
		if uri.String() != text || strings.Contains(uri.Host, "%") || !ascii(uri.Host) {
			return nil, invalid(fmt.Sprintf("%q would be %q in the request.", text, uri), "Write it in ASCII, an international host as punycode (xn--…), other characters in percent encoding, and the scheme in small letters.")
		}
		uris = append(uris, uri)
	}
	return uris, nil
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// CheckDNSNames refuses (fault.Invalid) names that could not be in a certificate (RFC 5280
// section 4.2.1.6, RFC 1034 section 3.5). Underscores, which it does not have, are in use.
func CheckDNSNames(names []string) error {
	for _, name := range names {
		if net.ParseIP(name) != nil {
			return invalid(fmt.Sprintf("%q is an IP address.", name), "Put it into ip_addresses.")
		}
		if !dnsName.MatchString(name) || len(name) > 253 {
			return invalid(fmt.Sprintf("%q is not a DNS name.", name), "Write one name in ASCII, an international one as punycode (xn--…), labels with at most 63 letters, digits and hyphens, and no dot at the end. "+
				"A wildcard is the whole first label: *.example.org.")
		}
	}
	return nil
}

const dnsLabel = `[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?`

var dnsName = regexp.MustCompile(`^(\*\.)?` + dnsLabel + `(\.` + dnsLabel + `)*$`)

func invalid(problem, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "request certificate", Problem: problem, Hint: hint}
}

func failed(problem string, cause error) error {
	return &fault.Error{Kind: fault.Internal, Op: "request certificate", Problem: problem, Cause: cause}
}
