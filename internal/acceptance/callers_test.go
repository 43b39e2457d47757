package acceptance_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// request is what callers sign.
var request = []byte("POST /orders\n{\"side\":\"buy\"}")

// mac signs the request with a shared secret.
func mac(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(request)
	return m.Sum(nil)
}

// unseal decrypts a sealed secret as its recipient does.
func unseal(t *testing.T, sealed string, recipient age.Identity) []byte {
	t.Helper()
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader(sealed)), recipient)
	if err != nil {
		t.Fatalf("%v\n%s", err, sealed)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != sha256.Size {
		t.Fatalf("the sealed secret is %d bytes long: %v", len(raw), err)
	}
	return raw
}

// whoSigned asks the verifier for a token's credentials who has signed the request.
func (c *cli) whoSigned(token *softhsm.Token, environment, keyID string, signature []byte) (credential.Principal, error) {
	c.t.Helper()
	services, shut := assembly.Services(config.Settings{
		ModulePath: token.Module, TokenLabel: token.Label, Environment: environment, Actor: "gateway@test",
		PIN: func() (secret.Value, error) { return secret.New(softhsm.PIN), nil },
	}, c.now)
	defer func() {
		if err := shut(); err != nil {
			c.t.Error(err)
		}
	}()
	all, err := services.Credentials.List(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	verifier, err := credential.NewVerifier(environment, all, services.Keys, c.now)
	if err != nil {
		c.t.Fatal(err)
	}
	return verifier.Verify(c.t.Context(), keyID, request, signature)
}

// rejection is why nobody has signed; empty if somebody has.
func rejection(t *testing.T, err error) credential.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	rejected, ok := errors.AsType[*credential.Rejection](err)
	if !ok {
		t.Fatal(err)
	}
	return rejected.Reason
}
