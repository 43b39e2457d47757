package credential

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// reserved is the word that policies have for every credential.
const reserved = "any"

// refuse is the fault of an argument; its Subject is the argument's name and nothing else.
func refuse(argument, problem, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "declare API credential", Subject: argument, Problem: problem, Hint: hint}
}

// Validate refuses (fault.Invalid) a spec that can never be satisfied. The Subject of
// the error is the name of the argument that has to change.
func (s Spec) Validate() error {
	for _, check := range []func() error{s.validateName, s.validateOwner, s.validateType, s.validateTimes, s.validateRevoke} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) validateName() error {
	if keyring.ValidateName(s.Name) != nil {
		return refuse("name", fmt.Sprintf("%q is not a usable name.", s.Name),
			"Use 1 to 63 letters, digits, dots, underscores and hyphens; start with a letter or a digit.")
	}
	if s.Name == reserved {
		return refuse("name", `"any" is what policies call every credential.`, "Choose another name.")
	}
	return nil
}

func (s Spec) validateOwner() error {
	if strings.TrimSpace(s.Owner) != s.Owner || s.Owner == "" || utf8.RuneCountInString(s.Owner) > 128 || strings.ContainsFunc(s.Owner, unicode.IsControl) {
		return refuse("owner", "A credential needs an owner: who answers for it.",
			"Name a person or a team, in 1 to 128 characters without control characters, and without spaces around it.")
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		if key == "" || strings.ContainsFunc(key+s.Tags[key], unicode.IsControl) || strings.Contains(key, "=") {
			return refuse("tags", fmt.Sprintf("The tag %q cannot be named in a policy.", key),
				"The name of a tag is not empty and has no equals sign; neither it nor the value has control characters.")
		}
	}
	return nil
}

func (s Spec) validateType() error {
	switch s.Type {
	case PublicKey:
		return s.validatePublicKey()
	case SharedSecret:
		return s.validateSharedSecret()
	}
	return refuse("type", fmt.Sprintf("There is no credential of the type %q.", s.Type), "Use public_key (recommended) or shared_secret.")
}

func (s Spec) validatePublicKey() error {
	const leaveOut = "Leave it out, or use type = \"shared_secret\"."
	switch {
	case len(s.PublicKey) == 0:
		return refuse("public_key", "A credential of the type public_key needs a public key.", howToMakeKey)
	case s.Algorithm != "":
		return refuse("algorithm", "The algorithm of a public key follows from the key; it cannot be given beside public_key.", leaveOut)
	case len(s.Recipients) > 0:
		return refuse("recipients", "A credential of the type public_key has no secret that could be sealed.", leaveOut)
	case s.RotateWhenChanged != nil:
		return refuse("rotate_when_changed", "A credential of the type public_key gets a new version with another public_key, and in no other way.", leaveOut)
	}
	_, _, err := ParsePublicKey(s.PublicKey.PEM())
	return err
}

func (s Spec) validateSharedSecret() error {
	if len(s.PublicKey) > 0 || s.Declared.PublicKey != "" {
		return refuse("public_key", "A credential of the type shared_secret has no public key.", "Leave public_key out, or use type = \"public_key\" without an algorithm.")
	}
	if s.Algorithm.size() == 0 {
		problem := fmt.Sprintf("There is no shared secret for %q.", s.Algorithm)
		if s.Algorithm == "" {
			problem = "A credential of the type shared_secret needs an algorithm."
		}
		return refuse("algorithm", problem, fmt.Sprintf("Use %s or %s.", HMACSHA256, HMACSHA512))
	}
	return CheckRecipients(s.Recipients)
}

func (s Spec) validateTimes() error {
	switch {
	case s.ValidFor < 0:
		return refuse("valid_for", "A version cannot be valid for less than nothing.", "Give a positive duration.")
	case s.RotateEvery < 0:
		return refuse("rotate_every", "A version cannot be rotated after less than nothing.", "Give a positive duration.")
	case s.Overlap < 0:
		return refuse("overlap", "An overlap cannot be shorter than nothing.", "Give a positive duration, or leave it out: then a replaced version ends at once.")
	case !s.ExpiresAt.IsZero() && s.ValidFor > 0:
		return refuse("valid_for", "A credential ends at expires_at, or each of its versions after valid_for: both are given.", "Leave one of them out.")
	case s.ValidFor > 0 && s.Overlap > s.ValidFor:
		return refuse("overlap", fmt.Sprintf("The overlap (%s) is longer than a version is valid (%s).", s.Overlap, s.ValidFor),
			"A version ends with valid_for in any case: make the overlap shorter, or valid_for longer.")
	}
	return nil
}

func (s Spec) validateRevoke() error {
	for _, n := range slices.Sorted(maps.Keys(s.Revoke)) {
		if n < 1 {
			return refuse("revoke", fmt.Sprintf("%d is not the number of a version.", n), "Versions are numbered from 1.")
		}
		if !slices.Contains(keyring.ReasonNames(), string(s.Revoke[n])) {
			return refuse("revoke", fmt.Sprintf("%q is no reason for a revocation.", s.Revoke[n]), "Use one of "+strings.Join(keyring.ReasonNames(), ", ")+".")
		}
	}
	return nil
}
