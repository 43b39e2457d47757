package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// accessPolicyModel is hsm_access_policy in configuration, plan and state.
type accessPolicyModel struct {
	Name        types.String `tfsdk:"name"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Enabled     types.Bool   `tfsdk:"enabled"`
	Statements  types.List   `tfsdk:"statement"`
	Cedar       types.String `tfsdk:"cedar"`

	ID              types.String `tfsdk:"id"`
	Fingerprint     types.String `tfsdk:"fingerprint_sha256"`
	EffectiveAccess types.Set    `tfsdk:"effective_access"`
}

// statementModel is one block `statement`.
type statementModel struct {
	Effect     types.String `tfsdk:"effect"`
	Principals types.Set    `tfsdk:"principals"`
	Actions    types.Set    `tfsdk:"actions"`
	Keys       types.Set    `tfsdk:"keys"`
	Condition  types.Object `tfsdk:"condition"`
}

// conditionModel is the block `condition` of a statement.
type conditionModel struct {
	SourceCIDRs     types.Set    `tfsdk:"source_cidrs"`
	NotBefore       types.String `tfsdk:"not_before"`
	NotAfter        types.String `tfsdk:"not_after"`
	Hours           types.Object `tfsdk:"hours"`
	MaxPayloadBytes types.Int64  `tfsdk:"max_payload_bytes"`
	Mechanisms      types.Set    `tfsdk:"mechanisms"`
}

// hoursModel is the block `hours` of a condition.
type hoursModel struct {
	From     types.String `tfsdk:"from"`
	To       types.String `tfsdk:"to"`
	TimeZone types.String `tfsdk:"time_zone"`
	Weekdays types.Set    `tfsdk:"weekdays"`
}

var namesType = types.SetType{ElemType: types.StringType}

func hoursType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"from": types.StringType, "to": types.StringType, "time_zone": types.StringType, "weekdays": namesType,
	}}
}

func conditionType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"source_cidrs": namesType, "not_before": types.StringType, "not_after": types.StringType, "hours": hoursType(),
		"max_payload_bytes": types.Int64Type, "mechanisms": namesType,
	}}
}

func statementType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"effect": types.StringType, "principals": namesType, "actions": namesType, "keys": namesType, "condition": conditionType(),
	}}
}

// isSpecified reports whether everything is known that its text depends on.
func (m accessPolicyModel) isSpecified() bool {
	return isKnown(m.Name, m.Statements, m.Cedar)
}

// isKnown reports whether values are known, with everything in them. Unlike isWhole it
// looks into lists and objects as well.
func isKnown(values ...attr.Value) bool {
	return !slices.ContainsFunc(values, func(v attr.Value) bool {
		raw, err := v.ToTerraformValue(context.Background()) // it only converts
		return err != nil || !raw.IsFullyKnown()
	})
}

// means reports whether two models are of one policy that says the same.
func (m accessPolicyModel) means(n accessPolicyModel) bool {
	return m.Name.Equal(n.Name) && m.Enabled.Equal(n.Enabled) && m.Statements.Equal(n.Statements) && m.Cedar.Equal(n.Cedar)
}

// spec is what the model asks for. Its text is what was written, if it has no
// statements, and not what statements were compiled to. What is not known yet is left
// out.
func (m accessPolicyModel) spec(ctx context.Context, diags *diag.Diagnostics) policy.Spec {
	spec := policy.Spec{Name: m.Name.ValueString(), Description: m.Description.ValueString(), Enabled: m.Enabled.ValueBool()}
	for name, value := range m.Tags.Elements() {
		if tag, ok := value.(types.String); ok && !tag.IsNull() && !tag.IsUnknown() {
			if spec.Tags == nil {
				spec.Tags = map[string]string{}
			}
			spec.Tags[name] = tag.ValueString()
		}
	}
	for _, element := range m.Statements.Elements() {
		var s statementModel
		if object, ok := element.(types.Object); ok {
			diags.Append(object.As(ctx, &s, basetypes.ObjectAsOptions{})...)
		}
		spec.Statements = append(spec.Statements, s.statement(ctx, diags))
	}
	if len(spec.Statements) == 0 {
		spec.Cedar = m.Cedar.ValueString()
	}
	return spec
}

func (m statementModel) statement(ctx context.Context, diags *diag.Diagnostics) policy.Statement {
	s := policy.Statement{
		Effect: policy.Effect(m.Effect.ValueString()), Principals: knownStrings(m.Principals), Actions: knownStrings(m.Actions), Keys: knownStrings(m.Keys),
	}
	if m.Condition.IsNull() || m.Condition.IsUnknown() {
		return s
	}
	var c conditionModel
	diags.Append(m.Condition.As(ctx, &c, basetypes.ObjectAsOptions{})...)
	s.Condition = &policy.Condition{
		SourceCIDRs: knownStrings(c.SourceCIDRs), NotBefore: c.NotBefore.ValueString(), NotAfter: c.NotAfter.ValueString(),
		Mechanisms: knownStrings(c.Mechanisms),
	}
	if !c.MaxPayloadBytes.IsUnknown() {
		s.Condition.MaxPayloadBytes = c.MaxPayloadBytes.ValueInt64Pointer()
	}
	if !c.Hours.IsNull() && !c.Hours.IsUnknown() {
		var h hoursModel
		diags.Append(c.Hours.As(ctx, &h, basetypes.ObjectAsOptions{})...)
		s.Condition.Hours = &policy.Hours{
			From: h.From.ValueString(), To: h.To.ValueString(), TimeZone: h.TimeZone.ValueString(), Weekdays: knownStrings(h.Weekdays),
		}
	}
	return s
}

// knownStrings lists the elements of a set that are known, sorted: a set has no order, and what
// is made of it should not depend on one.
func knownStrings(set types.Set) []string {
	var list []string
	for _, element := range set.Elements() {
		if s, ok := element.(types.String); ok && !s.IsNull() && !s.IsUnknown() {
			list = append(list, s.ValueString())
		}
	}
	slices.Sort(list)
	return list
}

// newAccessPolicyModel shows a policy as it is recorded, and the access through it.
func newAccessPolicyModel(ctx context.Context, p *policy.Policy, through access, diags *diag.Diagnostics) accessPolicyModel {
	m := accessPolicyModel{
		Name: types.StringValue(p.Spec.Name), Description: text(p.Spec.Description), Tags: types.MapNull(types.StringType),
		Enabled: types.BoolValue(p.Spec.Enabled), Statements: types.ListNull(statementType()), ID: types.StringValue(p.Spec.Name),
	}
	if len(p.Spec.Tags) > 0 {
		m.Tags = stringMap(ctx, p.Spec.Tags, diags)
	}
	if len(p.Spec.Statements) > 0 {
		m.Statements = statementList(ctx, p.Spec.Statements, diags)
	}
	m.setCedar(p.Spec)
	m.EffectiveAccess = through.set()
	return m
}

// setCedar shows the text of a spec without mistakes.
func (m *accessPolicyModel) setCedar(spec policy.Spec) {
	cedar, _ := policy.Compile(spec)
	if len(spec.Statements) == 0 {
		cedar = spec.Cedar // word for word, as Terraform demands
	}
	sum := sha256.Sum256([]byte(cedar))
	m.Cedar, m.Fingerprint = types.StringValue(cedar), types.StringValue(hex.EncodeToString(sum[:]))
}

func statementList(ctx context.Context, statements []policy.Statement, diags *diag.Diagnostics) types.List {
	models := make([]statementModel, len(statements))
	for i, s := range statements {
		models[i] = statementModel{
			Effect: types.StringValue(string(s.Effect)), Principals: stringSet(s.Principals), Actions: stringSet(s.Actions), Keys: stringSet(s.Keys),
			Condition: conditionObject(ctx, s.Condition, diags),
		}
	}
	list, more := types.ListValueFrom(ctx, statementType(), models)
	diags.Append(more...)
	return list
}

func conditionObject(ctx context.Context, c *policy.Condition, diags *diag.Diagnostics) types.Object {
	if c == nil {
		return types.ObjectNull(conditionType().AttrTypes)
	}
	m := conditionModel{
		SourceCIDRs: stringSet(c.SourceCIDRs), NotBefore: text(c.NotBefore), NotAfter: text(c.NotAfter),
		Hours: types.ObjectNull(hoursType().AttrTypes), MaxPayloadBytes: types.Int64PointerValue(c.MaxPayloadBytes), Mechanisms: stringSet(c.Mechanisms),
	}
	if h := c.Hours; h != nil {
		hours, more := types.ObjectValueFrom(ctx, hoursType().AttrTypes, hoursModel{
			From: types.StringValue(h.From), To: types.StringValue(h.To), TimeZone: types.StringValue(h.TimeZone), Weekdays: stringSet(h.Weekdays),
		})
		m.Hours = hours
		diags.Append(more...)
	}
	object, more := types.ObjectValueFrom(ctx, conditionType().AttrTypes, m)
	diags.Append(more...)
	return object
}

// stringSet is null without elements.
func stringSet(values []string) types.Set {
	if len(values) == 0 {
		return types.SetNull(types.StringType)
	}
	elements := make([]attr.Value, len(values))
	for i, v := range values {
		elements[i] = types.StringValue(v)
	}
	return types.SetValueMust(types.StringType, elements)
}

// settle completes a plan: what was planned stays word for word, as Terraform
// demands, and what was left open is taken from the policy as it is now.
func (m accessPolicyModel) settle(now accessPolicyModel) accessPolicyModel {
	settle(&m.ID, now.ID)
	settle(&m.Cedar, now.Cedar)
	settle(&m.Fingerprint, now.Fingerprint)
	settle(&m.EffectiveAccess, now.EffectiveAccess)
	return m
}

// likeWritten keeps what was written as empty: to the record "no tags" and "tags = {}"
// are the same, to Terraform they differ.
func (m *accessPolicyModel) likeWritten(prior accessPolicyModel) {
	if m.Tags.IsNull() && !prior.Tags.IsNull() && len(prior.Tags.Elements()) == 0 {
		m.Tags = prior.Tags
	}
	if m.Description.IsNull() && prior.Description.ValueString() == "" {
		m.Description = prior.Description
	}
}
