package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// all is what the plugin framework serves.
type all interface {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
}

// requests lets go of the context of each request that comes once for every resource. The
// framework keeps a way to cancel it until the process ends, and by that the whole
// context, with loggers of some 15 KiB: four times for each resource of a plan (v1.19,
// registerContext in internal/proto6server).
type requests struct{ all }

// newServer serves a provider by the framework, without what it would hoard.
func newServer(p provider.Provider) tfprotov6.ProviderServer {
	framework := providerserver.NewProtocol6(p)()
	if whole, ok := framework.(all); ok {
		return requests{whole}
	}
	return framework
}

func (r requests) ValidateResourceConfig(ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return during(ctx, req, r.all.ValidateResourceConfig)
}

func (r requests) UpgradeResourceState(ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return during(ctx, req, r.all.UpgradeResourceState)
}

func (r requests) UpgradeResourceIdentity(ctx context.Context, req *tfprotov6.UpgradeResourceIdentityRequest) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return during(ctx, req, r.all.UpgradeResourceIdentity)
}

func (r requests) ImportResourceState(ctx context.Context, req *tfprotov6.ImportResourceStateRequest) (*tfprotov6.ImportResourceStateResponse, error) {
	return during(ctx, req, r.all.ImportResourceState)
}

func (r requests) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return during(ctx, req, r.all.ReadResource)
}

func (r requests) PlanResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	return during(ctx, req, r.all.PlanResourceChange)
}

func (r requests) ApplyResourceChange(ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return during(ctx, req, r.all.ApplyResourceChange)
}

// during serves one request with a context that is another's only as long.
func during[Q, R any](ctx context.Context, req Q, serve func(context.Context, Q) (R, error)) (R, error) {
	l := &lease{}
	l.of.Store(&ctx)
	defer l.of.Store(&ended)
	return serve(l, req)
}

// lease is a context that stands for another one until that is taken from it.
type lease struct {
	of atomic.Pointer[context.Context]
}

func (l *lease) Deadline() (time.Time, bool) { return (*l.of.Load()).Deadline() }
func (l *lease) Done() <-chan struct{}       { return (*l.of.Load()).Done() }
func (l *lease) Err() error                  { return (*l.of.Load()).Err() }
func (l *lease) Value(key any) any           { return (*l.of.Load()).Value(key) }

// ended is what is left of a request's context.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
