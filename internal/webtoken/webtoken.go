// Package webtoken composes JSON Web Tokens (RFC 7519) for a key in an HSM to sign.
//
// It is pure: it is told the time, and signs nothing. It does not verify tokens.
package webtoken

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// How long a token is valid: it is for one run, and cannot be taken back.
const (
	DefaultValidity = 5 * time.Minute
	MaxValidity     = time.Hour
)

// Draft is a token before it is signed.
type Draft struct {
	claims   map[string]json.RawMessage
	IssuedAt time.Time // in whole seconds
	Expires  time.Time
}

// leeway is how much earlier than issued a token says that it is valid: the clock of who
// verifies it may be behind.
const leeway = time.Minute

// New makes a draft of claims, a JSON object, valid from now on. The claims about time
// are the draft's own; they must not be among those given (fault.Invalid).
func New(claims string, now time.Time, validity time.Duration) (*Draft, error) {
	if err := CheckValidity(validity); err != nil {
		return nil, err
	}
	members, err := parse(claims)
	if err != nil {
		return nil, err
	}
	d := &Draft{claims: members, IssuedAt: now.UTC().Truncate(time.Second)}
	d.Expires = d.IssuedAt.Add(validity)
	for name, at := range map[string]time.Time{"iat": d.IssuedAt, "nbf": d.IssuedAt.Add(-leeway), "exp": d.Expires} {
		d.claims[name] = json.RawMessage(fmt.Sprint(at.Unix()))
	}
	return d, nil
}

// CheckClaims refuses (fault.Invalid) what New would refuse.
func CheckClaims(claims string) error {
	_, err := parse(claims)
	return err
}

const hintClaims = `Write them with jsonencode: jsonencode({ iss = "…", aud = "…" }).`

func parse(claims string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(claims), &members) != nil || members == nil {
		return nil, invalid("They are not a JSON object.", hintClaims)
	}
	if twice := doubled(json.NewDecoder(strings.NewReader(claims))); twice != "" {
		return nil, invalid(fmt.Sprintf("%q is there twice in one object, and whoever reads it may take either.", twice), hintClaims)
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		if _, there := members[name]; there {
			return nil, invalid(fmt.Sprintf("%q is among them, and is set when the token is signed.", name), "Leave it out; valid_for says how long the token is valid.")
		}
	}
	for _, name := range []string{"iss", "sub", "jti", "aud"} { // RFC 7519 section 4.1
		var text *string
		var list []*string
		value, there := members[name]
		isList := name == "aud" && json.Unmarshal(value, &list) == nil && len(list) > 0 && !slices.Contains(list, nil)
		if there && !isList && (json.Unmarshal(value, &text) != nil || text == nil) {
			return nil, invalid(fmt.Sprintf("%q is not a string, which verifiers expect.", name), "Put it in quotation marks, or leave it out. \"aud\" may be a list of strings, with one at least.")
		}
	}
	return members, nil
}

func invalid(problem, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "compose token", Subject: "claims", Problem: problem, Hint: hint}
}

// doubled returns the name of a member that an object of valid JSON has twice, wherever the
// object is; empty if there is none.
func doubled(d *json.Decoder) string {
	token, _ := d.Token()
	delim, ok := token.(json.Delim)
	if !ok {
		return ""
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, _ := d.Token()
			text, _ := name.(string)
			if seen[text] {
				return text
			}
			seen[text] = true
		}
		if name := doubled(d); name != "" {
			return name
		}
	}
	_, _ = d.Token() // the closing one
	return ""
}

// CheckValidity refuses (fault.Invalid) what a token may not be valid for.
func CheckValidity(validity time.Duration) error {
	if validity >= time.Second && validity <= MaxValidity && validity%time.Second == 0 {
		return nil
	}
	return &fault.Error{
		Kind: fault.Invalid, Op: "compose token", Problem: fmt.Sprintf("A token cannot be valid for %s.", validity),
		Hint: fmt.Sprintf("Use whole seconds, from 1s to %s.", MaxValidity),
	}
}

// SigningInput is what a version signs by a scheme (RFC 7515 section 5.1).
func (d *Draft) SigningInput(v *keyring.Version, scheme keyring.Scheme) (string, error) {
	id, err := KeyID(v)
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}{string(scheme), id, "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(d.claims)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload), nil
}

// Signed is the token (RFC 7515 section 7.1). An ECDSA signature is r and s of equal
// length (RFC 7518 section 3.4).
func Signed(input string, signature []byte) string {
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// KeyID is by what a verifier finds the version that signed: the kid that a JSON Web Key
// Set has for its public key, and NAME:NUMBER of a secret key, which is in no such set.
func KeyID(v *keyring.Version) (string, error) {
	if len(v.PublicKey) == 0 {
		return v.Ref.Label, nil
	}
	return v.PublicKey.Thumbprint()
}
