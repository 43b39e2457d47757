package provider

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

const duration = " A duration such as `2160h` or `12h30m`; the units are `h`, `m` and `s`."

func (r *keyRotationResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Rotates a key: replaces its current version by a new one, with an overlap in which the old one still verifies and decrypts.\n\n" +
			"One instance of this resource stands for one version. When a rotation is due, the plan *replaces* the instance: its creation generates the new version, " +
			"and the HSM stops the old one from signing, encrypting and wrapping. Removing an instance destroys nothing. So a rotation can be asked for " +
			"with `terraform apply -replace=ADDRESS`, and `create_before_destroy` works as well as its absence.\n\n" +
			"Creating an instance rotates the key, unless no rotation has had its current version yet: the first rotation of a key takes the version that is there. " +
			"So after `terraform state rm`, and to take over a key that was rotated before, *import* the resource instead of creating it. " +
			"A run that is killed after the new version took over and before Terraform stored its state is no different: the next apply creates the instance again and " +
			"so makes one more version. Nothing is lost by that; the version in between goes through its overlap. With `create_before_destroy` it is the instance in " +
			"the state that is `superseded` then, and a warning says how to take charge.\n\n" +
			"Something has to run `terraform apply` for a rotation to take place: nothing happens by itself at midnight, and a late run does no harm. " +
			"`terraform plan -detailed-exitcode` tells (exit code 2) that something is due.",
		Attributes: map[string]schema.Attribute{
			"key_id": schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"key"}},
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "`id` of the `hsm_key` to rotate. A change lets that key go and rotates or takes over the other one.",
			},
			"rotate_every": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{}},
				MarkdownDescription: "How long after its activation a version is to be replaced." + duration + " Default: never by time. " +
					"Periods that were missed are not made up for. A change is in place.",
			},
			"overlap": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{}},
				MarkdownDescription: "How long a replaced version still verifies, decrypts, unwraps and derives." + duration + " Default: until it is " +
					"retired by hand, with `revoke`. A change is in place and holds for versions that are replaced from then on.",
			},
			"activation_delay": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{orZero: true}},
				MarkdownDescription: "How long the public key of a new version is published before the version is used, so that verifiers have it in time. " +
					"The old version serves until an apply after the delay." + duration + " Must be shorter than `rotate_every`. Default: not at all. " +
					"A change is in place and holds from the next rotation on. A version that is still waiting is destroyed when the key is rotated once more.",
			},
			"rotate_when_changed": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{noNulls{}},
				MarkdownDescription: "Any values; a change of them rotates, in the same apply. `{ algorithm = hsm_key.example.algorithm }` rotates as soon as the " +
					"key's algorithm changes. Adding the argument to a rotation that had none, and removing it, rotates nothing, " +
					"and neither does a change while `pinned_version` is set, nor later. Default: none.",
			},
			"retire_action": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(string(keyring.RetireDisables)),
				Validators: []validator.String{stringvalidator.OneOf(string(keyring.RetireDisables), string(keyring.RetireDestroys), string(keyring.RetireRetains))},
				MarkdownDescription: "What happens to the private or secret key when its overlap ends: `disable` (default; the HSM refuses every use), `destroy` " +
					"(it is destroyed, which nothing undoes) or `retain` (it goes on verifying and decrypting, but is no longer published). " +
					"Public key and record stay in every case. A change is in place and holds for versions that are retired from then on.",
			},
			"revoke": schema.MapAttribute{
				Optional: true, ElementType: types.StringType,
				Validators: []validator.Map{
					noNulls{},
					mapvalidator.KeysAre(stringvalidator.RegexMatches(regexp.MustCompile(`^[1-9][0-9]{0,8}$`), "the key must be the number of a version, for example \"3\"")),
					mapvalidator.ValueStringsAre(stringvalidator.OneOf(keyring.ReasonNames()...)),
				},
				MarkdownDescription: "Versions to end at once and for good, without overlap: version number to reason (" + quoted(keyring.ReasonNames()) + "; RFC 5280 section 5.3.1). " +
					"With `key_compromise` the version is no longer trusted for anything. Revoking the current version, or one that waits for its activation, rotates in the same apply. " +
					"Of any other version a change is in place. Default: none. Taking an entry away undoes nothing.",
			},
			"pinned_version": schema.Int64Attribute{
				Optional: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
				MarkdownDescription: "Go back to this version, within its overlap, and stay with it: while it is set, nothing rotates, `-replace` included. A change is in place. " +
					"Without it the newest version that may still serve becomes the current one again.",
			},

			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "`KEY/NUMBER`: the key's name and the version that this instance made or took over."},
			"version": schema.Int64Attribute{
				Computed: true, MarkdownDescription: "Number of the version that protects new data now. Null if there is none.",
			},
			"previous_version": schema.Int64Attribute{
				Computed: true, MarkdownDescription: "Number of the version that did so before. Null if there is none.",
			},
			"rotated_at": schema.StringAttribute{
				Computed: true, MarkdownDescription: "When the newest version became active, or will after `activation_delay` (RFC 3339, UTC).",
			},
			"rotate_at": schema.StringAttribute{
				Computed: true, MarkdownDescription: "From when on a plan rotates (RFC 3339, UTC). Null without `rotate_every`, and when superseded.",
			},
			"rotation_due": schema.BoolAttribute{
				Computed: true, MarkdownDescription: "Whether a rotation was due at the last refresh; the plan after it rotates.",
			},
			"pending_transitions": schema.ListAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "What else was due at the last refresh, for example `retire 1`; the plan after it does exactly these.",
			},
			"superseded": schema.BoolAttribute{
				Computed: true, MarkdownDescription: "Whether another `hsm_key_rotation` has taken over the key. A superseded instance changes nothing any more, " +
					"and a change of `revoke`, `pinned_version` or `rotate_when_changed` is an error at plan. If there is no other one, for example after an older state was " +
					"restored, take charge with `terraform state rm` and `terraform import`.",
			},
			"public_key_pem": schema.StringAttribute{
				Computed: true, MarkdownDescription: "Public key of `version` as PEM (SubjectPublicKeyInfo). Null for secret keys.",
			},
			"public_key_jwk": schema.StringAttribute{
				Computed: true, MarkdownDescription: "Public key of `version` as a JSON Web Key (RFC 7517). Null for secret keys.",
			},
			"trusted_public_keys": schema.MapAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "Public keys, as PEM by version number, of every version that may still verify, and of one that waits for its activation. " +
					"Empty for secret keys.",
			},
			"jwks": schema.StringAttribute{
				Computed: true, MarkdownDescription: "The same public keys as a JSON Web Key Set (RFC 7517). Each `kid` is the key's thumbprint (RFC 7638), so it never changes. Null for secret keys.",
			},
			"versions": versionsAttribute(""),
		},
	}
}
