package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/objectvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

func (r *accessPolicyResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Says who may do what with which key. Whatever no policy permits is denied, and one statement that forbids outweighs " +
			"all that permit, whichever policies they are in.\n\n" +
			"A policy is written either as `statement` blocks or as `cedar` text ([Cedar](https://www.cedarpolicy.com/)). It is checked at plan: misspelt names, " +
			"statements that can never match and the like are reported where they stand. `effective_access` lists what the environment's policies together " +
			"allow through this one, so a plan shows who gains or loses which access. What the attribute does not show, the plan tells as a warning.\n\n" +
			"-> **What a plan foresees.** Terraform plans what does not refer to each other in any order. `effective_access` is known at plan if each permit names its callers " +
			"and keys one by one, be they new or not. Of a *new* policy that permits something to an `owner:`, a `tag:` or `any`, or that narrows callers or keys by conditions in " +
			"Cedar, it is known after apply; likewise where a group has nobody in it yet. Of one that *changes*, the plan shows what the change gives and takes away among " +
			"the credentials and keys that there are. All other access that comes or goes with the plan is listed in warnings, by whichever resource is planned " +
			"last of those that it takes: a credential that joins an owner, beside a new policy for that owner. After the apply `effective_access` is what was so when the policy was " +
			"applied. What the same apply changes later the next refresh brings in; with `depends_on` the policy is applied after it.\n\n" +
			"Some rules are built in and no policy removes them: nothing across environments; nothing with a credential that is revoked, suspended or expired; " +
			"nothing with a key version whose state does not allow it; nothing when an evaluation fails; and `sign_digest` only where a policy names it.\n\n" +
			"-> **Keys in use.** A key that a policy names cannot be removed. To remove one, take it out of the policy and apply that, then remove the key: " +
			"in one apply Terraform removes the key before it changes the policy, and the apply stops there however often it is repeated. " +
			"It changes the policy first if the key was applied with `create_before_destroy = true` before. Key and policy together can be removed " +
			"in one apply, if the policy refers to the key's `id`.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"policy"}},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "Name of the policy, unique in the environment: 1 to 63 letters, digits, dots, underscores and hyphens, starting with a letter " +
					"or a digit. A change removes the policy and makes another one; in between it neither permits nor forbids anything.",
			},
			"description": schema.StringAttribute{
				Optional: true, MarkdownDescription: "What the policy is for, in words. Default: none. A change is in place and changes no access.",
			},
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{noNulls{}},
				MarkdownDescription: "Labels of your own, kept with the policy on the token. Default: none. A change is in place and changes no access.",
			},
			"enabled": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(true),
				MarkdownDescription: "Default: `true`. With `false` the policy neither permits nor forbids anything; it is checked all the same. A change is in place.",
			},
			"cedar": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: "The policy as Cedar text, for what statements cannot say. Without it: what the `statement` blocks mean, as Cedar text. " +
					"Text that is written is kept word for word, validated strictly against the schema of credentials and keys, and has to name " +
					"`Action::\"sign_digest\"` to permit it. Give `cedar` or `statement`, not both. A change is in place.",
			},

			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "The policy's name."},
			"fingerprint_sha256": schema.StringAttribute{
				Computed: true, MarkdownDescription: "SHA-256 of `cedar` in UTF-8, as lower-case hexadecimal.",
			},
			"effective_access": schema.SetNestedAttribute{
				Computed: true, NestedObject: schema.NestedAttributeObject{Attributes: accessAttributes()},
				MarkdownDescription: "What the environment's policies together allow through this one: every combination that it permits and nothing forbids. " +
					"In a plan it is what will be so if nothing else changes, or known after apply, see above; a refresh shows what is so, with everything else that was changed. " +
					"Time alone changes it too, when a credential expires.",
			},
		},
		Blocks: map[string]schema.Block{"statement": statementBlock()},
	}
}

// accessAttributes are those of one element of effective_access.
func accessAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"principal": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of a credential."},
		"action":    schema.StringAttribute{Computed: true, MarkdownDescription: "What it may do."},
		"key":       schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the key that it may do it with."},
		"conditional": schema.BoolAttribute{
			Computed: true, MarkdownDescription: "Whether it depends on the request: when and from where it comes, how much and with which mechanism.",
		},
	}
}

func statementBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "Permits or forbids something. A request has to match all of a statement: one of its `principals`, one of its `actions`, one of its `keys`, " +
			"and everything in its `condition`. Required, unless there is `cedar`. A change is in place, of anything in it too. The order of statements means nothing.",
		NestedObject: schema.NestedBlockObject{
			Attributes: map[string]schema.Attribute{
				"effect": schema.StringAttribute{
					Required: true, MarkdownDescription: "`permit` or `forbid`. One that forbids outweighs all that permit.",
				},
				"principals": namesAttribute("Who: `id`s of `hsm_api_credential`, `owner:NAME` for every credential of an owner, `tag:KEY=VALUE` for every one with a tag, or " +
					"`any` alone. Refer to the resource rather than writing its name: then it is made before the policy."),
				"actions": namesAttribute("What: " + quoted(policy.ActionNames()) + ", or `any` alone, which is all of them except `sign_digest`. That one signs a digest which the " +
					"caller computed, so nobody on this side knows what is signed."),
				"keys": namesAttribute("With what: `id`s of `hsm_key`, `tag:KEY=VALUE` for every key with a tag, or `any` alone."),
			},
			Blocks: map[string]schema.Block{"condition": conditionBlock()},
		},
	}
}

// namesAttribute is a set without which a statement says nothing. That it has
// elements, and which, is a question for policy.Compile.
func namesAttribute(description string) schema.SetAttribute {
	return schema.SetAttribute{
		Required: true, ElementType: types.StringType, Validators: []validator.Set{noNulls{}}, MarkdownDescription: description,
	}
}

func conditionBlock() schema.SingleNestedBlock {
	// An empty list would have to mean "from nowhere", and was probably not meant at all.
	some := []validator.Set{noNulls{}, notEmpty{}}
	return schema.SingleNestedBlock{
		MarkdownDescription: "Narrows the statement to some requests; all that is given has to hold. Default: all requests. What is not known of a request gets nothing permitted: a condition about it does not hold where the effect is `permit`, and holds where it is `forbid`.",
		Attributes: map[string]schema.Attribute{
			"source_cidrs": schema.SetAttribute{
				Optional: true, ElementType: types.StringType, Validators: some,
				MarkdownDescription: "The caller's address is in one of these networks, IPv4 or IPv6: `10.0.0.0/8`, `2001:db8::/32`. Default: from anywhere.",
			},
			"not_before": schema.StringAttribute{Optional: true, MarkdownDescription: "From this time on (RFC 3339), for example `2027-01-01T00:00:00Z`. Default: from ever."},
			"not_after":  schema.StringAttribute{Optional: true, MarkdownDescription: "Before this time (RFC 3339). Has to be after `not_before`. Default: for ever."},
			"max_payload_bytes": schema.Int64Attribute{
				Optional: true, MarkdownDescription: "The data to be worked on has at most so many bytes. Default: no limit.",
			},
			"mechanisms": schema.SetAttribute{
				Optional: true, ElementType: types.StringType, Validators: some,
				MarkdownDescription: "One of these PKCS#11 mechanisms is used, for example `CKM_ECDSA`. Default: any.",
			},
		},
		Blocks: map[string]schema.Block{"hours": schema.SingleNestedBlock{
			MarkdownDescription: "At these hours, in the civil time of a place, daylight saving time included. Default: at any hour.",
			// Attributes that the schema requires the framework misses where there is no block either.
			Validators: []validator.Object{objectvalidator.AlsoRequires(
				path.MatchRelative().AtName("from"), path.MatchRelative().AtName("to"), path.MatchRelative().AtName("time_zone"),
			)},
			Attributes: map[string]schema.Attribute{
				"from": schema.StringAttribute{Optional: true, MarkdownDescription: "Required. From this time of day on, `HH:MM`."},
				"to": schema.StringAttribute{
					Optional: true, MarkdownDescription: "Required. Until this time of day, excluded; `24:00` is the end of the day. Earlier than `from` it is on the next day, and the hours " +
						"belong to the weekday on which they began.",
				},
				"time_zone": schema.StringAttribute{Optional: true, MarkdownDescription: "Required. Name of a time zone of the IANA database, for example `Europe/Zurich`, or `UTC`."},
				"weekdays": schema.SetAttribute{
					Optional: true, ElementType: types.StringType, Validators: some,
					MarkdownDescription: "On these days: `monday`, `tuesday`, `wednesday`, `thursday`, `friday`, `saturday`, `sunday`. Default: every day.",
				},
			},
		}},
	}
}
