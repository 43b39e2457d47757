package credential

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

const howToName = "Give an age recipient (age1… or age1pq1…, which `age-keygen` writes) or an SSH public key (ssh-ed25519 or ssh-rsa)."

// ParseRecipient refuses (fault.Invalid, with the Subject "recipients") what a secret
// cannot be sealed to. No part of the text gets into the error.
func ParseRecipient(text string) error {
	_, _, err := parseRecipient(text)
	return err
}

// parseRecipient returns a recipient, and what is the same in whatever way it is written.
func parseRecipient(text string) (recipient age.Recipient, canonical string, err error) {
	if IsPrivate(text) {
		return nil, "", refuseRecipient("This is a private key or an age identity, which nobody but its owner must have. It is not repeated here.",
			"Treat it as disclosed: make a new one, and give its public half.")
	}
	text = strings.TrimSpace(text) // files end with a line break
	canonical = text
	switch {
	case strings.ContainsAny(text, "\n\r"):
		return nil, "", refuseRecipient("It has several lines. Each recipient is an element of its own.", howToName)
	case isHybrid(text):
		recipient, err = age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1") && strings.LastIndex(text, "1") > len("age"): // age1NAME1…, as there is no 1 in Bech32's data
		return nil, "", refuseRecipient("Recipients of age's plugins are not supported.", howToName)
	case strings.HasPrefix(text, "age1"):
		recipient, err = age.ParseX25519Recipient(text)
	case strings.HasPrefix(text, "ssh-"):
		if canonical, err = canonicalSSH(text); err == nil {
			recipient, err = agessh.ParseRecipient(canonical)
		}
	default:
		return nil, "", refuseRecipient("This is not a recipient.", howToName)
	}
	if err != nil { // age quotes the text in its errors
		return nil, "", refuseRecipient("The recipient is malformed, or of a kind that is not supported.", howToName)
	}
	return recipient, canonical, nil
}

// isHybrid reports whether a recipient is a post-quantum one.
func isHybrid(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), "age1pq1") }

// canonicalSSH writes an SSH public key without comment, in the one base64 that it has.
// What stands before the type of the key would be an option of authorized_keys.
func canonicalSSH(text string) (string, error) {
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return "", err
	}
	if len(options) > 0 {
		return "", errors.New("there are options before the key")
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

func refuseRecipient(problem, hint string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "read recipient", Subject: "recipients", Problem: problem, Hint: hint}
}

// CheckRecipients refuses (fault.Invalid, with the Subject "recipients") what a secret
// cannot be sealed to, or not together: age does not mix post-quantum recipients with
// others, as the weakest one decides.
func CheckRecipients(recipients []string) error {
	if len(recipients) == 0 {
		return nil
	}
	_, err := seal(nil, recipients)
	return err
}

// seal encrypts a secret, as base64, to recipients.
func seal(secret []byte, recipients []string) (string, error) {
	var parsed []age.Recipient
	var named []string
	for _, text := range recipients {
		recipient, canonical, err := parseRecipient(text)
		if err != nil {
			return "", err
		}
		if slices.Contains(named, canonical) {
			return "", refuseRecipient("The same recipient is named twice.", "Leave one out.")
		}
		if isHybrid(text) != isHybrid(recipients[0]) {
			return "", refuseRecipient("The recipients cannot be used together: post-quantum ones (age1pq1…) protect only if all of them are.",
				"Give recipients of one kind: all post-quantum, or none.")
		}
		parsed, named = append(parsed, recipient), append(named, canonical)
	}
	var sealed strings.Builder
	armored := armor.NewWriter(&sealed)
	w, err := age.Encrypt(armored, parsed...)
	if err != nil {
		return "", refuseRecipient("Nothing can be encrypted to one of the recipients.", howToName)
	}
	text := make([]byte, base64.StdEncoding.EncodedLen(len(secret)))
	defer clear(text)
	base64.StdEncoding.Encode(text, secret)
	if _, err = w.Write(text); err == nil {
		err = w.Close()
	}
	if err == nil {
		err = armored.Close()
	}
	if err != nil {
		return "", &fault.Error{Kind: fault.Internal, Op: "seal secret", Problem: "The secret cannot be encrypted.", Cause: err}
	}
	return sealed.String(), nil
}
