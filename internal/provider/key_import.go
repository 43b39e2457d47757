package provider

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// imported is the entry in the private state of a key that was imported after it
// had been removed, until the first apply restores it. An import changes nothing on
// the token that a key could notice: every plan carries out an import block.
const imported = "imported"

// ImportState takes the name of a recorded key, or the PKCS#11 URI of a key that
// was made elsewhere, of which it writes a record. It gives the complete state, so
// that the plan after it has nothing to add. A key that was removed with on_destroy =
// "disable" is shown as what it is, disabled; the plan after it enables it again if
// the configuration says so.
func (r *keyResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	id := r.client.asked(ctx, req, byName, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	token, err := r.client.identity(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	key, err := take(ctx, services.Keys, token, id)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := newKeyModel(ctx, key, token, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, now)...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	r.client.noteImport(ctx, "key/"+key.Spec.Name, "", &resp.Diagnostics)
	if key.Tombstone != nil {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, imported, []byte("true"))...)
	}
}

func take(ctx context.Context, keys *lifecycle.Service, token keyring.TokenInfo, id string) (*keyring.Key, error) {
	if len(id) < len(uriScheme) || !strings.EqualFold(id[:len(uriScheme)], uriScheme) {
		tflog.Debug(ctx, "importing key", map[string]any{"key": id})
		return keys.Import(ctx, id)
	}
	where, name, err := locate(id, token)
	if err != nil {
		return nil, err
	}
	tflog.Debug(ctx, "adopting key", map[string]any{"cka_id": where.ID, "cka_label": where.Label, "key": name})
	return keys.Adopt(ctx, where, name)
}

// uriScheme starts every PKCS#11 URI. Schemes are compared without regard to case
// (RFC 3986, section 3.1).
const uriScheme = "pkcs11:"

// locate reads which object an import id means, and the name that the key is to
// have, if it gives one.
func locate(id string, token keyring.TokenInfo) (lifecycle.Locator, string, error) {
	refuse := func(problem, hint string) error {
		return &fault.Error{Kind: fault.Invalid, Op: "import key", Subject: fmt.Sprintf("id %q", withoutQuery(id)), Problem: problem, Hint: hint}
	}
	uri, err := config.ParseURI(id)
	if err != nil {
		return lifecycle.Locator{}, "", err
	}
	switch {
	case uri.Token != "" && uri.Token != token.Label:
		return lifecycle.Locator{}, "", refuse(fmt.Sprintf("The URI names the token %q, the provider is configured for %q.", uri.Token, token.Label),
			"Import with the provider configuration of that token, or correct the URI.")
	case uri.Serial != "" && uri.Serial != token.Serial:
		return lifecycle.Locator{}, "", refuse(fmt.Sprintf("The URI names the token with serial %s, the provider is configured for %s.", uri.Serial, token.Serial),
			"Import with the provider configuration of that token, or correct the URI.")
	case uri.Object == "" && len(uri.ID) == 0:
		return lifecycle.Locator{}, "", refuse("The URI names no object.", "Give object=LABEL, id=%NN%NN… or both.")
	case uri.Type != "" && !slices.Contains([]string{"private", "public", "secret-key"}, uri.Type):
		return lifecycle.Locator{}, "", refuse(fmt.Sprintf("The URI names an object of type %q, which is no key.", uri.Type), "Use type=private or type=secret-key, or leave the type out.")
	}
	return lifecycle.Locator{ID: hex.EncodeToString(uri.ID), Label: uri.Object, Class: uri.Type}, givenName(uri), nil
}

// givenName is the vendor attribute x-name (RFC 7512, section 2.4) of an import
// id, empty if there is none.
func givenName(uri config.URI) string {
	for _, a := range uri.VendorQuery {
		if a.Name == "x-name" {
			return a.Value
		}
	}
	return ""
}

// withoutQuery leaves out the part of a URI in which a PIN may be.
func withoutQuery(id string) string {
	path, _, _ := strings.Cut(id, "?")
	return path
}
