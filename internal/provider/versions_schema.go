package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	data "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// versionFields are the attributes of a version. Resources and data sources have
// schema types of their own in the framework, so both are made from this table.
var versionFields = []struct {
	name        string
	valueType   attr.Type
	description string
}{
	{"state", types.StringType, "State as in NIST SP 800-57 part 1: `pre_activation`, `active`, `suspended`, `deactivated`, `compromised` or `destroyed`."},
	{"algorithm", types.StringType, "Algorithm that this version was generated with."},
	{"cka_id", types.StringType, "The objects' `CKA_ID`, as lower-case hexadecimal."},
	{"pkcs11_uri", types.StringType, "PKCS#11 URI (RFC 7512) of the private or secret key, by token, serial number, id and type; without the label, which may change."},
	{"public_key_pem", types.StringType, "Public key as PEM (SubjectPublicKeyInfo). Null for secret keys. It stays after the version was destroyed."},
	{"fingerprint_sha256", types.StringType, "Hexadecimal SHA-256 of the SubjectPublicKeyInfo. For secret keys a key check value that the HSM computed."},
	{"created_at", types.StringType, "When it was generated or adopted (RFC 3339, UTC)."},
	{"activated_at", types.StringType, "When it first became active. Null before that."},
	{"deactivated_at", types.StringType, "When it stopped protecting new data. Null before that."},
	{"process_until", types.StringType, "End of the overlap: until when it may still verify, decrypt and unwrap. Null while active, and when it is retired by hand."},
	{"destroyed_at", types.StringType, "When its private or secret key was destroyed. Null before that."},
	{"enforcement", types.StringType, "Who stops this version from what it may not do, as tried at the last refresh: `hsm` (the token refuses), `advisory` " +
		"(the token cannot refuse; only the published keys and records say so) or `drifted` (somebody changed the object; the next apply puts it right)."},
	{"local", types.BoolType, "The key was generated on the token (`CKA_LOCAL`), as the token reported when this version was made or adopted."},
	{"never_extractable", types.BoolType, "The key could never leave the token (`CKA_NEVER_EXTRACTABLE`), as the token reported when this version was made or adopted."},
	{"always_sensitive", types.BoolType, "The key was never readable in plain (`CKA_ALWAYS_SENSITIVE`), as the token reported when this version was made or adopted."},
	{"attested", types.BoolType, "Whether `local`, `always_sensitive` and `never_extractable` can be believed: the token reported them truthfully for throw-away keys."},
}

const versionsDescription = "The key's versions by number. Numbers count up from 1 and are never used again."

func versionsAttribute(more string) schema.MapNestedAttribute {
	nested := schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{}}
	for _, f := range versionFields {
		if f.valueType == types.BoolType {
			nested.Attributes[f.name] = schema.BoolAttribute{Computed: true, MarkdownDescription: f.description}
		} else {
			nested.Attributes[f.name] = schema.StringAttribute{Computed: true, MarkdownDescription: f.description}
		}
	}
	return schema.MapNestedAttribute{Computed: true, NestedObject: nested, MarkdownDescription: versionsDescription + more}
}

func versionsDataAttribute() data.MapNestedAttribute {
	nested := data.NestedAttributeObject{Attributes: map[string]data.Attribute{}}
	for _, f := range versionFields {
		if f.valueType == types.BoolType {
			nested.Attributes[f.name] = data.BoolAttribute{Computed: true, MarkdownDescription: f.description}
		} else {
			nested.Attributes[f.name] = data.StringAttribute{Computed: true, MarkdownDescription: f.description}
		}
	}
	return data.MapNestedAttribute{Computed: true, NestedObject: nested, MarkdownDescription: versionsDescription}
}
