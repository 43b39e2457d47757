package main

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"weak"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
)

type baggage struct{}

// TestRequestsAreLetGo: what a request's context holds is garbage when it has ended, and
// the framework alone would keep it. If the latter is not so any more, requests.go has done
// its service.
func TestRequestsAreLetGo(t *testing.T) {
	construct, shut := assembly.Provider("test")
	t.Cleanup(shut)
	server := newServer(construct())
	wrapped, ok := server.(requests)
	if !ok {
		t.Fatal("the framework does not serve lists or actions: its contexts are not let go")
	}
	for name, c := range map[string]struct {
		server tfprotov6.ProviderServer
		kept   bool
	}{"ours": {wrapped, false}, "the framework's": {wrapped.all, true}} {
		held := request(t, c.server)
		runtime.GC()
		if kept := held.Value() != nil; kept != c.kept {
			t.Errorf("%s: the context is kept: %t", name, kept)
		}
	}
}

// request serves one that comes and goes, and returns what its context held.
func request(t *testing.T, server tfprotov6.ProviderServer) weak.Pointer[[1 << 16]byte] {
	t.Helper()
	held := new([1 << 16]byte)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), baggage{}, held))
	defer cancel()
	if _, err := server.UpgradeResourceState(ctx, &tfprotov6.UpgradeResourceStateRequest{TypeName: "hsm_key"}); err != nil {
		t.Fatal(err)
	}
	return weak.Make(held)
}

// TestLease: a request is told when it is cancelled, and has its values.
func TestLease(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), baggage{}, "it"))
	_, err := during(ctx, "question", func(inner context.Context, question string) (string, error) {
		derived, stop := context.WithCancel(inner)
		defer stop()
		if derived.Value(baggage{}) != "it" || derived.Err() != nil || question != "question" {
			t.Errorf("%v, %v, %q", derived.Value(baggage{}), derived.Err(), question)
		}
		cancel()
		<-derived.Done()
		return "", derived.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
