package provider

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

const nextVersion = " A change is in place and holds for the *next* version: versions that exist keep what they were made with. " +
	"It makes a rotation of the key due."

func (r *keyResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A cryptographic key in the HSM. It is generated there, or comes in wrapped (`import`), and its private or secret part never leaves it, " +
			"unless `extractable` was set, and then only wrapped by another key.\n\n" +
			"A key has numbered versions; this resource makes the first one. `hsm_key_rotation` makes the others. This resource shows " +
			"the versions as of its last refresh, which in the apply that rotates the key is *before* the rotation: whatever depends on the " +
			"current version should refer to the attributes of `hsm_key_rotation`.\n\n" +
			"~> **Importing a key that was made elsewhere**, by a PKCS#11 URI, writes a record of it to the token, and stamps a token that has no " +
			"environment yet. Terraform carries out an `import` block at every *plan*, so that already writes. The key itself stays as it is. " +
			"Importing a key by its name changes nothing.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"key"}},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "Name of the key, unique on the token: 1 to 63 letters, digits, dots, underscores and hyphens, starting with a letter " +
					"or a digit. A change makes a new key, and removes this one as `on_destroy` says.",
			},
			"algorithm": schema.StringAttribute{
				Required: true, Validators: []validator.String{stringvalidator.OneOf(keyring.AlgorithmNames()...)},
				MarkdownDescription: "What kind of key: " + quoted(keyring.AlgorithmNames()) + ". Which of these a token can make is checked at plan." + nextVersion,
			},
			"operations": schema.SetAttribute{
				Optional: true, Computed: true, ElementType: types.StringType,
				Validators: []validator.Set{noNulls{}, setvalidator.ValueStringsAre(stringvalidator.OneOf(keyring.OperationNames()...))},
				MarkdownDescription: "What the key may do: " + quoted(keyring.OperationNames()) + ". Default: `encrypt` and `decrypt` for AES, " +
					"`sign` and `verify` for everything else. A change is in place and holds at once for every version of the key's algorithm; versions of an earlier algorithm keep what they could do.",
			},
			"allowed_mechanisms": schema.SetAttribute{
				Optional: true, ElementType: types.StringType,
				Validators: []validator.Set{noNulls{}, notEmpty{}, setvalidator.ValueStringsAre(mechanismValidator{})},
				MarkdownDescription: "Names of the PKCS#11 mechanisms that the key may be used with (`CKA_ALLOWED_MECHANISMS`), for example " +
					"`CKM_ECDSA`. Not every token can restrict a key so. Default: all." + nextVersion,
			},
			"extractable": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Whether the key may leave the HSM wrapped by another key. Default: `false`." + nextVersion,
			},
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{noNulls{}},
				MarkdownDescription: "Labels of your own, kept with the key on the token; the data source `hsm_keys` selects by them. Default: none. A change is in place.",
			},
			"enabled": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(true),
				MarkdownDescription: "Default: `true`. `false` suspends every version: the HSM refuses every use until it is `true` again. A change is in place. " +
					"The attributes of a `hsm_key_rotation`, such as `jwks`, follow at the next refresh: apply twice where something depends on them.",
			},
			"deletion_protection": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(true),
				MarkdownDescription: "Default: `true`, which refuses to remove the key. Removing the block and changing `name` are refused at plan already; " +
					"`terraform taint` and `-replace` are refused only at apply, because Terraform does not tell the provider of them at plan. It is kept with the key on " +
					"the token, so it also holds when the whole block is gone. A change is in place. To remove a key, first apply `deletion_protection = false`.",
			},
			"on_destroy": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(string(keyring.DestroyDisables)),
				Validators: []validator.String{stringvalidator.OneOf(string(keyring.DestroyDisables), string(keyring.DestroyDestroys), string(keyring.DestroyRetains))},
				MarkdownDescription: "What removing the resource does to the key. `disable` (default): the HSM refuses every use, the objects stay; " +
					"importing the name undoes it. `destroy`: the private or secret keys of all versions are destroyed, which nothing undoes. " +
					"`retain`: the key stays as it is and works on. In every case a record of the name and its version numbers stays, and numbers go on from there " +
					"if the name is used again. A change is in place, and has to be applied before the resource is removed.",
			},
			"import": importAttribute(),

			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "The key's name."},
			"pkcs11_uri": schema.StringAttribute{
				Computed: true, MarkdownDescription: "PKCS#11 URI (RFC 7512) of the current version's private or secret key, by token, serial number, id and type. " +
					"The label is left out: an object with another label stays the same key. Null if there is no current version.",
			},
			"created_at": schema.StringAttribute{Computed: true, MarkdownDescription: "When the key was created or adopted (RFC 3339, UTC)."},
			"current_version": schema.Int64Attribute{
				Computed: true, MarkdownDescription: "Number of the version that protects new data. Null if there is none, because it was revoked.",
			},
			"public_key_pem": schema.StringAttribute{
				Computed: true, MarkdownDescription: "Public key of the current version as PEM (SubjectPublicKeyInfo). Null for secret keys.",
			},
			"public_key_jwk": schema.StringAttribute{
				Computed: true, MarkdownDescription: "Public key of the current version as a JSON Web Key (RFC 7517). Null for secret keys.",
			},
			"versions": versionsAttribute(" As of the last refresh."),
		},
	}
}

// quoted lists names as code.
func quoted(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
