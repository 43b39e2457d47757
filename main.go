// Command terraform-provider-hsm serves the provider to Terraform and OpenTofu.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
)

// version is set by the linker.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "serve until interrupted and print how to attach (TF_REATTACH_PROVIDERS)")
	flag.Parse()
	provider, shut := assembly.Provider(version)
	if !*debug {
		tune()
		go endWithParent(shut)
	}
	err := providerserver.Serve(context.Background(), provider, providerserver.ServeOpts{
		Address: "registry.terraform.io/keystead/hsm", Debug: *debug,
	})
	if err != nil {
		log.Fatal(err)
	}
}
