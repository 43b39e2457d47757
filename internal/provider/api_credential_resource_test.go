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
	"slices"
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

func newPair(t *testing.T) pair {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	var wire []byte // RFC 8709 section 4
	for _, field := range [][]byte{[]byte("ssh-ed25519"), public} {
		wire = append(binary.BigEndian.AppendUint32(wire, uint32(len(field))), field...)
	}
	url := base64.RawURLEncoding
	return pair{
		private: private, pem: publicPEM(t, public), ssh: "ssh-ed25519 " + base64.StdEncoding.EncodeToString(wire),
		pkcs8: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		jwk:   fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"d":%q}`, url.EncodeToString(public), url.EncodeToString(private.Seed())),
	}
}

func publicPEM(t *testing.T, public any) string {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
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

// credentialState is the state of the shared secret "bot", whose second version took
// over from the first.
func credentialState() values {
	return values{
		"name": "bot", "owner": "desk", "enabled": true, "type": "shared_secret", "algorithm": "hmac-sha256", "rotate_every": "2160h", "overlap": "168h",
		"id": "bot", "version": 2, "key_id": "test~bot~2", "fingerprint_sha256": "02", "rotate_at": "2027-04-01T00:00:00Z", "rotation_due": false,
		"versions": values{"1": credentialVersion("overlapping"), "2": credentialVersion("active")},
	}
}

func credentialVersion(state string) values {
	return values{
		"state": state, "algorithm": "hmac-sha256", "key_id": "test~bot", "fingerprint_sha256": "00", "created_at": "2027-01-01T00:00:00Z",
	}
}

// What a plan leaves open when there will be a new version.
var opened = []string{"fingerprint_sha256", "key_id", "rotate_at", "rotation_due", "version", "versions"}

func TestAPICredentialPlan(t *testing.T) {
	config := with(botConfig, "rotate_every", "2160h", "overlap", "168h")
	to, other := newIdentity(t).Recipient().String(), newIdentity(t).Recipient().String()
	due := with(credentialState(), "rotation_due", true)
	sealed := with(credentialState(), "recipients", []any{to}, "sealed_secret", "SEALED")
	watching := with(credentialState(), "rotate_when_changed", values{"a": "b"})
	expiring := with(credentialState(), "expires_at", "2028-01-01T00:00:00Z")
	lasting := with(credentialState(), "valid_for", "9000h")
	ada, newcomer := newPair(t), newPair(t)
	person := with(credentialState(), "type", "public_key", "algorithm", nil, "public_key", ada.ssh)
	personConfig := with(config, "type", "public_key", "algorithm", nil, "public_key", ada.ssh)
	for name, test := range map[string]struct {
		prior, config values
		changed       []string
		replace       []string
		warns         string
	}{
		"nothing": {config: config},
		"owner":   {config: with(config, "owner", "ada"), changed: []string{"owner"}},
		"tags":    {config: with(config, "tags", values{"a": "b"}), changed: []string{"tags"}},
		"disable": {config: with(config, "enabled", false), changed: []string{"enabled", "rotation_due", "versions"}},
		"another name": {
			config: with(config, "name", "robot"), changed: and(opened, "id", "name"), replace: []string{"name"},
		},
		"another type": {
			config: personConfig, changed: and(opened, "algorithm", "public_key", "type"), replace: []string{"type"},
		},

		"another algorithm":     {config: with(config, "algorithm", "hmac-sha512"), changed: and(opened, "algorithm")},
		"algorithm not known":   {config: with(config, "algorithm", unknown), changed: and(opened, "algorithm")},
		"another public key":    {prior: person, config: with(personConfig, "public_key", newcomer.ssh), changed: and(opened, "public_key")},
		"public key not known":  {prior: person, config: with(personConfig, "public_key", unknown), changed: and(opened, "public_key")},
		"comment of the key":    {prior: person, config: with(personConfig, "public_key", ada.ssh+" ada@example"), changed: []string{"public_key"}},
		"the same key in PEM":   {prior: person, config: with(personConfig, "public_key", ada.pem), changed: []string{"public_key"}},
		"another key in PEM":    {prior: person, config: with(personConfig, "public_key", newcomer.pem), changed: and(opened, "public_key")},
		"reminder":              {prior: with(person, "rotation_due", true), config: personConfig, warns: "Another public key is called for"},
		"reminder heeded":       {prior: with(person, "rotation_due", true), config: with(personConfig, "public_key", newcomer.ssh), changed: and(opened, "public_key")},
		"due":                   {prior: due, config: config, changed: opened},
		"due and disabled":      {prior: due, config: with(config, "enabled", false), changed: []string{"enabled", "rotation_due", "versions"}},
		"due and sealed":        {prior: with(sealed, "rotation_due", true), config: with(config, "recipients", []any{to}), changed: and(opened, "sealed_secret")},
		"due without a period":  {prior: with(due, "rotate_every", nil, "rotate_at", nil), config: with(config, "rotate_every", nil), changed: without(opened, "rotate_at")},
		"watched value changes": {prior: watching, config: with(config, "rotate_when_changed", values{"a": "c"}), changed: and(opened, "rotate_when_changed")},
		"watched not known":     {prior: watching, config: with(config, "rotate_when_changed", values{"a": unknown}), changed: and(opened, "rotate_when_changed")},
		"watching begins":       {config: with(config, "rotate_when_changed", values{"a": "b"}), changed: []string{"rotate_when_changed"}},
		"watching ends":         {prior: watching, config: config, changed: []string{"rotate_when_changed"}},

		"sealing begins":       {config: with(config, "recipients", []any{to}), changed: []string{"recipients", "sealed_secret"}},
		"other recipients":     {prior: sealed, config: with(config, "recipients", []any{to, other}), changed: []string{"recipients", "sealed_secret"}},
		"recipients not known": {prior: sealed, config: with(config, "recipients", []any{unknown}), changed: []string{"recipients", "sealed_secret"}},
		"same recipients":      {prior: sealed, config: with(config, "recipients", []any{to})},
		"sealing ends":         {prior: sealed, config: config, changed: []string{"recipients", "sealed_secret"}},

		"expiry":              {config: with(config, "expires_at", "2028-01-01T00:00:00Z"), changed: []string{"expires_at", "rotation_due", "versions"}},
		"expiry not known":    {config: with(config, "expires_at", unknown), changed: []string{"expires_at", "rotation_due", "versions"}},
		"expiry in a zone":    {prior: expiring, config: with(config, "expires_at", "2028-01-01T01:00:00+01:00"), changed: []string{"expires_at"}},
		"expiry taken away":   {prior: expiring, config: config, changed: []string{"expires_at", "rotation_due", "versions"}},
		"validity":            {config: with(config, "valid_for", "9000h"), changed: []string{"rotation_due", "valid_for", "versions"}},
		"validity, reworded":  {prior: lasting, config: with(config, "valid_for", "540000m"), changed: []string{"valid_for"}},
		"period":              {config: with(config, "rotate_every", "720h"), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"period, reworded":    {config: with(config, "rotate_every", "129600m"), changed: []string{"rotate_every"}},
		"period not known":    {config: with(config, "rotate_every", unknown), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"no period":           {config: with(config, "rotate_every", nil), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"overlap":             {config: with(config, "overlap", "1h"), changed: []string{"overlap"}},
		"revoke the old one":  {config: with(config, "revoke", values{"1": "superseded"}), changed: []string{"revoke", "rotation_due", "versions"}},
		"revoke the newest":   {config: with(config, "revoke", values{"2": "key_compromise"}), changed: and(opened, "revoke")},
		"revoke not known":    {config: with(config, "revoke", unknown), changed: and(opened, "revoke")},
		"revoke a public key": {prior: person, config: with(personConfig, "revoke", values{"2": "key_compromise"}), changed: []string{"revoke", "rotation_due", "versions"}},
		"still revoked": {
			prior: with(credentialState(), "revoke", values{"1": "superseded"}), config: with(config, "revoke", values{"1": "superseded"}),
		},
		"taking a revocation back": {
			prior: with(credentialState(), "revoke", values{"1": "superseded"}), config: config, changed: []string{"revoke"}, warns: "stays revoked",
		},
	} {
		t.Run(name, func(t *testing.T) {
			prior := test.prior
			if prior == nil {
				prior = credentialState()
			}
			p := newServer(t).plan(t, "hsm_api_credential", prior, test.config)
			noErrors(t, p.diagnostics)
			want := slices.Sorted(slices.Values(test.changed))
			if !slices.Equal(p.changed(), want) {
				t.Errorf("changed %v, want %v", p.changed(), want)
			}
			if !slices.Equal(p.replace, test.replace) {
				t.Errorf("replaces because of %v, want %v", p.replace, test.replace)
			}
			if test.warns != "" {
				wantDiagnostic(t, p.diagnostics, "", "WARNING", test.warns)
			} else if len(p.diagnostics) > 0 {
				t.Errorf("unexpected: %s", showAll(p.diagnostics))
			}
		})
	}
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

func TestAPICredentialPlanIsComputed(t *testing.T) {
	s := newServer(t)
	p := s.plan(t, "hsm_api_credential", credentialState(), with(botConfig, "overlap", "168h", "rotate_every", "720h"))
	if p.values["rotate_at"] != "2027-01-31T00:00:00Z" {
		t.Errorf("rotate_at is planned as %v", p.values["rotate_at"])
	}
	for name, test := range map[string]struct{ config, want values }{
		"least": {botConfig, values{"id": "bot", "enabled": true, "sealed_secret": nil, "rotate_at": nil, "version": unknown, "key_id": unknown, "versions": unknown}},
		"most": {
			with(botConfig, "recipients", []any{newIdentity(t).Recipient().String()}, "rotate_every", "1h"),
			values{"id": "bot", "sealed_secret": unknown, "rotate_at": unknown},
		},
		"of a name to come": {with(botConfig, "name", unknown), values{"id": unknown}},
	} {
		p := s.plan(t, "hsm_api_credential", nil, test.config)
		noErrors(t, p.diagnostics)
		for attribute, want := range test.want {
			if p.values[attribute] != want {
				t.Errorf("%s: %s is planned as %v, want %v", name, attribute, p.values[attribute], want)
			}
		}
	}
	p = s.plan(t, "hsm_api_credential", credentialState(), with(botConfig, "overlap", "168h", "rotate_every", "2160h", "revoke", values{"7": "superseded"}))
	wantDiagnostic(t, p.diagnostics, "revoke", "ERROR", "no version 7", "It has: 1, 2.")
}
