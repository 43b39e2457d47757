// Command schema prints the provider's schema in the format of `terraform
// providers schema -json`. It asks the provider in-process, so that the
// documentation can be generated without a CLI, a network or an HSM, and with
// what older CLIs leave out.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
)

func main() {
	provider, _ := assembly.Provider("dev") // opens no module: nobody configures it
	server := providerserver.NewProtocol6(provider())()
	if err := export(context.Background(), os.Stdout, server); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

// providerKey is where tfplugindocs looks for the schema. It knows only
// registry.terraform.io/hashicorp/NAME and, as here, the bare name.
const providerKey = "hsm"

func export(ctx context.Context, out io.Writer, server tfprotov6.ProviderServer) error {
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return err
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return err
	}
	for _, d := range append(schemas.Diagnostics, identities.Diagnostics...) {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			return fmt.Errorf("%s: %s", d.Summary, d.Detail)
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document{
		FormatVersion:   "1.0",
		ProviderSchemas: map[string]providerSchemas{providerKey: providerOf(schemas, identities)},
	})
}
