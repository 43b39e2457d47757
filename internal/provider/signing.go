package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// signing is what the ephemeral resources that sign are told about who is to.
type signing struct {
	key      string
	version  types.Int64 // the version that the configuration expects to sign, if it says so
	scheme   keyring.Scheme
	isDigest bool
}

// The arguments of a signing.
func signingAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"key_id": schema.StringAttribute{
			Required: true, Validators: []validator.String{nameValidator{"key"}},
			MarkdownDescription: "`id` of the `hsm_key`. With `key_id = hsm_key_rotation.example.key_id` the apply of a rotation signs when the new version is there.",
		},
		"version": schema.Int64Attribute{
			Optional: true, Computed: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
			MarkdownDescription: "Number of the version that signs. Default: the current one, and no other can be named. With `version = hsm_key_rotation.example.version` " +
				"the plan of a rotation waits for the new version instead of signing with the old one.",
		},
		"algorithm": schema.StringAttribute{
			Optional: true, Computed: true, Validators: []validator.String{stringvalidator.OneOf(keyring.SchemeNames()...)},
			MarkdownDescription: "Signature algorithm by its name in JSON Web Algorithms: `ES256` (P-256), `ES384` (P-384), `ES512` (P-521), `ES256K` (secp256k1), `EdDSA` (Ed25519, Ed448), " +
				"`RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512` (RSA), `HS256`, `HS384`, `HS512` (HMAC with that hash). " +
				"Default: that of the key, and `RS256` for RSA, unless `allowed_mechanisms` permits another one only.",
		},
	}
}

// sign signs in the HSM. Terraform opens ephemeral resources at plan already: while the
// key is yet to be made, or changed so that it may sign, it returns nil and no error.
func (c *client) sign(ctx context.Context, services *Services, s signing, compose func(*keyring.Version, keyring.Scheme) (lifecycle.Content, error)) (*lifecycle.Signature, error) {
	made, err := services.Keys.Sign(ctx, s.key, s.scheme, s.isDigest, func(v *keyring.Version, scheme keyring.Scheme) (lifecycle.Content, error) {
		if err := expects(s.key, s.version, v); err != nil {
			return lifecycle.Content{}, err
		}
		return compose(v, scheme)
	})
	if !isRefusal(err) {
		return made, blockingKey(err)
	}
	planned, isPlanned := c.planned(s.key)
	if _, _, unsuited := services.Keys.Signer(ctx, s.key, s.scheme, s.isDigest); unsuited == nil || !isPlanned {
		return nil, blockingKey(err) // it stays as it is, or is not what is refused
	}
	if planned == nil { // not everything is known of it yet
		return nil, nil
	}
	_, _, err = lifecycle.SignerOf(planned, s.scheme, s.isDigest)
	return nil, blockingKey(err)
}

// blockingKey adds to the refusal of a key, or to what is wrong with it, what that means for
// the configuration: the plan that would mend it opens the ephemeral resource as well.
func blockingKey(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Protected && f.Kind != fault.Inconsistent {
		return err
	}
	refusal := *f
	refusal.Hint = strings.TrimSpace(refusal.Hint + " The ephemeral resource is opened by every plan, also by one that rotates or destroys: give it version = hsm_key_rotation.….version, so that it waits for the version that a " +
		"rotation makes, or else take it out of the configuration until then, or give it count = 0.")
	return &refusal
}

// isRefusal reports whether a key is not there or may not sign, as opposed to a token
// that could not be asked.
func isRefusal(err error) bool {
	return fault.Is(err, fault.NotFound) || fault.Is(err, fault.Protected) || fault.Is(err, fault.Invalid)
}

// expects refuses another version than the one that is expected, if one is.
func expects(key string, version types.Int64, v *keyring.Version) error {
	want := int(version.ValueInt64())
	if want == 0 || want == v.Number {
		return nil
	}
	return &fault.Error{
		Kind: fault.Invalid, Op: "sign", Subject: fmt.Sprintf("key %q version %d", key, want), Problem: fmt.Sprintf("Not this version signs, but version %d.", v.Number),
		Hint: "Leave version out, or refer to the version of the hsm_key_rotation.",
	}
}
