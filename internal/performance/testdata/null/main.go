// Command null serves a provider that has nothing: what any provider costs to start.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

type null struct{}

func (null) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "null"
}
func (null) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (null) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (null) Resources(context.Context) []func() resource.Resource { return nil }

func (null) DataSources(context.Context) []func() datasource.DataSource { return nil }

func main() {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return null{} }, providerserver.ServeOpts{
		Address: "registry.terraform.io/keystead/null",
	})
	if err != nil {
		log.Fatal(err)
	}
}
