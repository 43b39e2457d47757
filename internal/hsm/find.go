package hsm

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// locatorClasses are the classes by the names that RFC 7512 section 2.3 gives them.
var locatorClasses = map[string]uint{
	"private": cryptoki.CKO_PRIVATE_KEY, "public": cryptoki.CKO_PUBLIC_KEY, "secret-key": cryptoki.CKO_SECRET_KEY,
}

// Find looks for exactly one key that was made elsewhere, see lifecycle.Token. One
// key is one CKA_ID; a locator that matches one half of a pair finds the pair.
//
// What cannot be adopted is refused: a key of a type or size that is not ours, a
// key without CKA_ID and a public key alone (fault.Unsupported); a private key
// without its public half, two keys with one id, and halves that do not belong
// together (fault.Inconsistent).
func (t *Token) Find(ctx context.Context, where lifecycle.Locator) (lifecycle.Found, error) {
	template, err := searchTemplate(where)
	if err != nil {
		return lifecycle.Found{}, err
	}
	attested, err := t.attested(ctx)
	if err != nil {
		return lifecycle.Found{}, err
	}
	for n := 1; ; n++ {
		found, err := t.find(ctx, where, template)
		if err == nil {
			return t.describeFound(ctx, found, attested)
		}
		if !fault.Is(err, fault.Conflict) || n == attempts {
			return lifecycle.Found{}, err
		}
	}
}

func searchTemplate(where lifecycle.Locator) ([]cryptoki.Attribute, error) {
	// Session objects are not what anybody looks for: a probe's throw-away keys are.
	template := []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_TOKEN, true)}
	if where.ID != "" {
		raw, err := hex.DecodeString(where.ID)
		if err != nil {
			return nil, notLocated(where, fault.Invalid, "The id is not a hexadecimal number.", "Write it without separators, for example 0a1b2c.")
		}
		template = append(template, cryptoki.Bytes(cryptoki.CKA_ID, raw))
	}
	if where.Label != "" {
		template = append(template, cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(where.Label)))
	}
	if where.Class != "" {
		class, ok := locatorClasses[where.Class]
		if !ok {
			return nil, notLocated(where, fault.Invalid, fmt.Sprintf("There is no class of keys called %q.", where.Class), `Use "private", "public" or "secret-key".`)
		}
		template = append(template, cryptoki.Ulong(cryptoki.CKA_CLASS, class))
	}
	return template, nil
}

func notLocated(where lifecycle.Locator, kind fault.Kind, problem, hint string) error {
	return &fault.Error{
		Kind: kind, Op: "find key", Subject: sought(where), Problem: problem, Hint: hint,
	}
}

// sought puts a locator in words; what it leaves open is not mentioned.
func sought(where lifecycle.Locator) string {
	var parts []string
	for _, each := range []struct{ name, value string }{{"label", where.Label}, {"id", where.ID}, {"type", where.Class}} {
		if each.value != "" {
			parts = append(parts, fmt.Sprintf("%s %q", each.name, each.value))
		}
	}
	if len(parts) == 0 {
		return "any key"
	}
	return join(parts)
}

// find returns the two halves, or the secret key alone, of the one key that matches.
// fault.Conflict means that somebody is changing it, and looking again is right.
func (t *Token) find(ctx context.Context, where lifecycle.Locator, template []cryptoki.Attribute) (material, error) {
	matching, err := t.device.Search(ctx, template)
	if err != nil {
		return material{}, err
	}
	ids := map[string]bool{}
	for _, o := range matching {
		if covers(o.Class) != keyring.None {
			ids[hex.EncodeToString(o.Bytes(cryptoki.CKA_ID))] = true
		}
	}
	switch {
	case len(ids) > 1:
		names := slices.Sorted(maps.Keys(ids))
		if names[0] == "" {
			names = append(names[1:], "none")
		}
		return material{}, notLocated(where, fault.Inconsistent, "More than one key matches; their ids are "+join(names)+".", "Name the id of one of them.")
	case ids[""]:
		return material{}, notLocated(where, fault.Unsupported, "The key has no id (CKA_ID).", "Give it one, for example with `pkcs11-tool --set-id`.")
	case len(ids) == 0:
		if err := t.nothing(ctx, where, template); err != nil {
			return material{}, err
		}
		return material{}, notLocated(where, fault.NotFound, "There is no such key on the token.", "List what is there with `pkcs11-tool --list-objects`.")
	}
	for only := range ids {
		where.ID = only
	}
	return t.complete(ctx, where)
}

// nothing is nil on positive evidence that no key matches. A locator without a class
// may match things that are no keys, so each class is asked for.
func (t *Token) nothing(ctx context.Context, where lifecycle.Locator, template []cryptoki.Attribute) error {
	if where.Class != "" {
		return t.device.ConfirmAbsent(ctx, template)
	}
	for _, class := range []uint{cryptoki.CKO_PRIVATE_KEY, cryptoki.CKO_PUBLIC_KEY, cryptoki.CKO_SECRET_KEY} {
		if err := t.device.ConfirmAbsent(ctx, append(slices.Clone(template), cryptoki.Ulong(cryptoki.CKA_CLASS, class))); err != nil {
			return err
		}
	}
	return nil
}

// complete collects all that has one id and insists on it being one key.
func (t *Token) complete(ctx context.Context, where lifecycle.Locator) (material, error) {
	raw, err := hex.DecodeString(where.ID)
	if err != nil {
		return material{}, err
	}
	objects, err := t.device.Search(ctx, []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bytes(cryptoki.CKA_ID, raw)})
	if err != nil {
		return material{}, err
	}
	count := map[uint][]cryptoki.Object{}
	for _, o := range objects {
		count[o.Class] = append(count[o.Class], o)
	}
	secrets, privates, publics := count[cryptoki.CKO_SECRET_KEY], count[cryptoki.CKO_PRIVATE_KEY], count[cryptoki.CKO_PUBLIC_KEY]
	// A secret key and a pair may share an id; then the class says which is meant.
	switch {
	case where.Class == "secret-key":
		privates, publics = nil, nil
	case where.Class != "":
		secrets = nil
	}
	problem := func(kind fault.Kind, problem, hint string) error {
		return notLocated(where, kind, problem, hint)
	}
	switch {
	case len(secrets) > 0 && len(privates)+len(publics) > 0:
		return material{}, problem(fault.Inconsistent, "A secret key and a pair have the same id, "+where.ID+".", `Say which is meant with type "secret-key" or "private".`)
	case len(secrets) > 1, len(privates) > 1, len(publics) > 1:
		return material{}, problem(fault.Inconsistent, "Several keys of one class have the same id, "+where.ID+".", "Give all but one of them another id, or remove them.")
	case len(secrets) == 1:
		return newMaterial(keyring.Ref{}, secrets[0], cryptoki.Object{})
	case len(privates) == 0 && len(publics) == 0:
		return material{}, problem(fault.Conflict, "The key vanished while it was being read.", "Try again.")
	case len(privates) == 0:
		return material{}, t.halfMissing(ctx, where, raw, cryptoki.CKO_PRIVATE_KEY, fault.Unsupported,
			"This is a public key without its private half.", "Only keys whose private half is on the token can be managed.")
	case len(publics) == 0:
		return material{}, t.halfMissing(ctx, where, raw, cryptoki.CKO_PUBLIC_KEY, fault.Inconsistent,
			"This is a private key without its public half.", "Put the public key on the token with the same id, for example with `pkcs11-tool --write-object … --type pubkey`.")
	}
	return newMaterial(keyring.Ref{}, privates[0], publics[0])
}

// halfMissing says so on positive evidence only, fault.Conflict if the half turns up.
func (t *Token) halfMissing(ctx context.Context, where lifecycle.Locator, raw []byte, class uint, kind fault.Kind, problem, hint string) error {
	if err := t.device.ConfirmAbsent(ctx, half(class, raw)); err != nil {
		return err
	}
	return notLocated(where, kind, problem, hint)
}
