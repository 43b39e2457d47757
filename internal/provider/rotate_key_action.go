package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// rotateKeyAction is the action hsm_rotate_key.
type rotateKeyAction struct{ client *client }

var _ action.ActionWithConfigure = (*rotateKeyAction)(nil)

func (a *rotateKeyAction) Metadata(_ context.Context, _ action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = typeName + "_rotate_key"
}

func (a *rotateKeyAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (a *rotateKeyAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Rotates a key now: the HSM generates the next version, which takes over, and the version before may still verify and decrypt. " +
			"Overlap and activation delay are those of the key's `hsm_key_rotation`, which stays in charge: its period counts from here, and it does not rotate again for what " +
			"was due before. Without one there is no end to the overlap.\n\n" +
			"The attributes of `hsm_key` and `hsm_key_rotation` show the new version after the next refresh: for whatever depends on them, " +
			"`terraform apply -replace=hsm_key_rotation.…` rotates and updates in one apply. A saved plan that was to rotate the key still does, so make a new one.\n\n" +
			"Refused while the rotation pins a version, and while a new version waits for its activation. Needs Terraform 1.14.",
		Attributes: map[string]schema.Attribute{
			byKeyID: schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"key"}}, MarkdownDescription: "Id of the key.",
			},
		},
	}
}

// Invoke makes the next version. What has begun is carried through, whoever interrupts.
func (a *rotateKeyAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var name types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, pathKeyID, &name)...)
	ctx, services := a.client.change(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer a.client.changed(&resp.Diagnostics)
	resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf("Key %q: the HSM generates the next version.", name.ValueString())})
	tflog.Debug(ctx, "rotating key by hand", map[string]any{"key": name.ValueString()})
	key, err := services.Keys.RotateNow(ctx, name.ValueString())
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	resp.SendProgress(action.InvokeProgressEvent{Message: rotated(key)})
	a.client.warnUnattested(&resp.Diagnostics, key)
}

// rotated tells what came of a rotation.
func rotated(key *keyring.Key) string {
	newest := key.Newest()
	if newest.Waiting() {
		return fmt.Sprintf("Key %q: version %d is published and becomes active with an apply after %s.", key.Spec.Name, newest.Number, timestamp(newest.ActivateAfter).ValueString())
	}
	message := fmt.Sprintf("Key %q: version %d is current.", key.Spec.Name, newest.Number)
	if before := predecessor(key, newest); before != nil && before.RevokedAt.IsZero() {
		until := "for as long as nobody retires it"
		if !before.ProcessUntil.IsZero() {
			until = "until " + timestamp(before.ProcessUntil).ValueString()
		}
		message += fmt.Sprintf(" Version %d may verify, decrypt and unwrap %s.", before.Number, until)
	}
	return message
}
