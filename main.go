// Command terraform-provider-hsm serves the provider to Terraform and OpenTofu, and is a
// tool for operators when it is started by hand.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
)

// version is set by the linker.
var version = "dev"

func main() {
	parent := os.Getppid() // first of all: whoever dies later is noticed
	debug := len(os.Args) == 2 && (os.Args[1] == "-debug" || os.Args[1] == "--debug")
	if !debug && (len(os.Args) > 1 || os.Getenv(cookie) == "") {
		os.Exit(operate(os.Args[1:]))
	}
	provider, shut := assembly.Provider(version)
	if !debug {
		tune()
		go endWithParent(parent, shut)
	}
	var options []tf6server.ServeOpt
	if debug {
		options = append(options, tf6server.WithManagedDebug())
	}
	err := tf6server.Serve("registry.terraform.io/keystead/hsm", func() tfprotov6.ProviderServer { return newServer(provider()) }, options...)
	if err != nil {
		log.Fatal(err)
	}
	shut() // Terraform asks a provider to end, and kills it only when it has not after a while
}

// cookie is the variable by which Terraform and OpenTofu tell a plugin that it is they who
// start it.
const cookie = "TF_PLUGIN_MAGIC_COOKIE"

// operate carries out what an operator asks for. An interrupt ends waiting; what the HSM
// has begun is finished.
func operate(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return assembly.Command(ctx, version, args, os.Stdout, os.Stderr)
}
