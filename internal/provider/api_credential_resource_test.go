package provider_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"
)

// pair is a caller's key pair, as the caller may write it down.
type pair struct {
	private    ed25519.PrivateKey
	pem, ssh   string // the public key
	pkcs8, jwk string // the private key
}

func newPair(tb testing.TB) pair {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	var wire []byte // RFC 8709 section 4
	for _, field := range [][]byte{[]byte("ssh-ed25519"), public} {
		wire = append(binary.BigEndian.AppendUint32(wire, uint32(len(field))), field...)
	}
	url := base64.RawURLEncoding
	return pair{
		private: private, pem: publicPEM(tb, public), ssh: "ssh-ed25519 " + base64.StdEncoding.EncodeToString(wire),
		pkcs8: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		jwk:   fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"d":%q}`, url.EncodeToString(public), url.EncodeToString(private.Seed())),
	}
}

func publicPEM(tb testing.TB, public any) string {
	tb.Helper()
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
}

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// botConfig is a shared secret, adaConfig a public key.
var botConfig = values{"name": "bot", "owner": "desk", "type": "shared_secret", "algorithm": "hmac-sha256"}

func adaConfig(publicKey string) values {
	return values{"name": "ada", "owner": "ada", "type": "public_key", "public_key": publicKey}
}

func TestAPICredentialValidation(t *testing.T) {
	p, to := newPair(t), newIdentity(t).Recipient().String()
	ada := adaConfig(p.ssh)
	postQuantum, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"name with a space":           {with(botConfig, "name", "my bot"), "name", []string{"1 to 63"}},
		"name that policies use":      {with(botConfig, "name", "any"), "name", nil},
		"empty owner":                 {with(botConfig, "owner", ""), "owner", nil},
		"owner on two lines":          {with(botConfig, "owner", "a\nb"), "owner", nil},
		"unknown type":                {with(botConfig, "type", "password"), "type", []string{"public_key", "shared_secret"}},
		"tag of null":                 {with(botConfig, "tags", values{"a": nil}), "tags", []string{`tags["a"] is null`}},
		"unknown algorithm":           {with(botConfig, "algorithm", "hmac-md5"), "algorithm", []string{"hmac-sha512"}},
		"secret without algorithm":    {with(botConfig, "algorithm", nil), "algorithm", []string{"hmac-sha256"}},
		"secret with a public key":    {with(botConfig, "public_key", p.ssh), "public_key", nil},
		"public key without one":      {with(ada, "public_key", nil), "public_key", nil},
		"public key and algorithm":    {with(ada, "algorithm", "hmac-sha256"), "algorithm", nil},
		"public key with recipients":  {with(ada, "recipients", []any{to}), "recipients", nil},
		"public key watching":         {with(ada, "rotate_when_changed", values{"a": "b"}), "rotate_when_changed", nil},
		"empty public key":            {with(ada, "public_key", ""), "public_key", nil},
		"RSA":                         {with(ada, "public_key", publicPEM(t, rsaKey.Public())), "public_key", []string{"RSA"}},
		"unsupported curve":           {with(ada, "public_key", publicPEM(t, p384.Public())), "public_key", []string{"P384"}},
		"two public keys":             {with(ada, "public_key", p.pem+p.pem), "public_key", nil},
		"broken public key":           {with(ada, "public_key", p.ssh[:len(p.ssh)-8]), "public_key", nil},
		"weak public key":             {with(ada, "public_key", publicPEM(t, ed25519.PublicKey(make([]byte, 32)))), "public_key", nil},
		"malformed recipient":         {with(botConfig, "recipients", []any{to, "bob"}), "recipients", nil},
		"recipient of null":           {with(botConfig, "recipients", []any{to, nil}), "recipients", []string{"An element of recipients is null"}},
		"mixed recipients":            {with(botConfig, "recipients", []any{to, postQuantum.Recipient().String()}), "recipients", nil},
		"expiry as a date":            {with(botConfig, "expires_at", "2027-03-31"), "expires_at", []string{"2027-03-31T18:00:00Z"}},
		"two expiries":                {with(botConfig, "expires_at", "2027-03-31T18:00:00Z", "valid_for", "1h"), "", []string{"expires_at", "valid_for"}},
		"validity in days":            {with(botConfig, "valid_for", "30d"), "valid_for", []string{"30d"}},
		"validity of nothing":         {with(botConfig, "valid_for", "0s"), "valid_for", []string{"longer than 0"}},
		"negative period":             {with(botConfig, "rotate_every", "-1h"), "rotate_every", []string{"longer than 0"}},
		"negative overlap":            {with(botConfig, "overlap", "-1h"), "overlap", []string{"shorter than 0"}},
		"overlap longer than its use": {with(botConfig, "overlap", "2h", "valid_for", "1h"), "overlap", nil},
		"watched value of null":       {with(botConfig, "rotate_when_changed", values{"a": nil}), "rotate_when_changed", []string{`rotate_when_changed["a"] is null`}},
		"revoke by name":              {with(botConfig, "revoke", values{"v1": "superseded"}), "revoke", []string{"number of a version"}},
		"revoke version 0":            {with(botConfig, "revoke", values{"0": "superseded"}), "revoke", []string{"number of a version"}},
		"unknown reason":              {with(botConfig, "revoke", values{"1": "stolen"}), "revoke", []string{"key_compromise"}},
		"reason of null":              {with(botConfig, "revoke", values{"1": nil}), "revoke", []string{`revoke["1"] is null`}},
		"computed attribute":          {with(botConfig, "version", 1), "version", nil},
		"bad beside unknown":          {with(ada, "name", unknown, "owner", unknown, "tags", values{"a": unknown}, "algorithm", "hmac-sha256"), "algorithm", nil},
		"bad key beside unknown":      {with(ada, "expires_at", unknown, "public_key", "ssh-ed25519 AAAA"), "public_key", nil},
		"bad recipient among unknown": {with(botConfig, "recipients", []any{unknown, "bob"}), "recipients", nil},
	} {
		t.Run(name, func(t *testing.T) {
			diagnostics := newServer(t).validate(t, "hsm_api_credential", test.config)
			wantDiagnostic(t, diagnostics, test.attribute, append(test.says, "ERROR")...)
			if len(diagnostics) > 1 {
				t.Errorf("it is said more than once: %s", showAll(diagnostics))
			}
		})
	}
	for name, fine := range map[string]values{
		"secret": botConfig, "OpenSSH": ada, "OpenSSH with a comment": adaConfig(p.ssh + " ada@example"), "PEM": adaConfig(p.pem),
		"unknown": {
			"name": unknown, "owner": unknown, "type": unknown, "public_key": unknown, "algorithm": unknown, "recipients": unknown, "expires_at": unknown,
			"valid_for": unknown, "revoke": unknown, "enabled": unknown, "tags": unknown,
		},
		"unknown key": with(ada, "public_key", unknown),
		"most of a secret": with(botConfig, "recipients", []any{to}, "tags", values{"a": "b"}, "enabled", false, "valid_for", "90m", "rotate_every", "1h", "overlap", "30m",
			"rotate_when_changed", values{"a": unknown}, "revoke", values{"1": "key_compromise"}),
		"post-quantum recipient": with(botConfig, "recipients", []any{postQuantum.Recipient().String()}),
		"most of a public key":   with(ada, "expires_at", "2027-03-31T20:00:00+02:00", "rotate_every", "8760h", "overlap", "0s"),
	} {
		t.Run(name, func(t *testing.T) { noErrors(t, newServer(t).validate(t, "hsm_api_credential", fine)) })
	}
}

// A private key that was pasted is refused, and shown neither by us nor, as the
// diagnostic is at no argument, by the CLI.
func TestAPICredentialShowsNoPrivateKey(t *testing.T) {
	p, identity := newPair(t), newIdentity(t).String()
	for name, test := range map[string]struct {
		config    values
		says      string
		mustNotBe []string
	}{
		"PKCS #8":                   {adaConfig(p.pkcs8), "public_key", strings.Split(p.pkcs8, "\n")[1:2]},
		"JSON Web Key":              {adaConfig(p.jwk), "public_key", []string{base64.RawURLEncoding.EncodeToString(p.private.Seed())}},
		"bare base64":               {adaConfig(strings.Split(p.pkcs8, "\n")[1]), "public_key", strings.Split(p.pkcs8, "\n")[1:2]},
		"bare hexadecimal":          {adaConfig(hex.EncodeToString(p.private.Seed())), "public_key", []string{hex.EncodeToString(p.private.Seed())}},
		"age identity":              {adaConfig(identity), "public_key", []string{identity}},
		"age identity for a secret": {with(botConfig, "public_key", identity), "public_key", []string{identity}},
		"beside another mistake":    {with(adaConfig(p.pkcs8), "algorithm", "hmac-sha256"), "public_key", strings.Split(p.pkcs8, "\n")[1:2]},
		"recipient":                 {with(botConfig, "recipients", []any{identity}), "recipients", []string{identity}},
		"one of the recipients":     {with(botConfig, "recipients", []any{newIdentity(t).Recipient().String(), identity}), "recipients", []string{identity}},
		"recipient of a public key": {with(adaConfig(p.ssh), "recipients", []any{identity}), "recipients", []string{identity}},
		"beside null":               {with(botConfig, "recipients", []any{nil, identity}), "recipients", []string{identity}},
	} {
		t.Run(name, func(t *testing.T) {
			diagnostics := newServer(t).validate(t, "hsm_api_credential", test.config)
			wantDiagnostic(t, diagnostics, wholeBlock, "ERROR", "rgument "+test.says)
			for _, d := range diagnostics {
				if d.Attribute != nil && strings.Contains(d.Attribute.String(), test.says) {
					t.Errorf("the CLI would quote the argument: %s", show(d))
				}
			}
			for _, private := range test.mustNotBe {
				if strings.Contains(showAll(diagnostics), private) {
					t.Errorf("it is shown: %s", showAll(diagnostics))
				}
			}
		})
	}
}
