package credential_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// onSoftHSM is an environment on a token, and that token by itself.
func onSoftHSM(tb testing.TB) (*provider.Services, *cryptoki.Token) {
	tb.Helper()
	token := softhsm.New(tb, "credentials")
	services, shut := assembly.Services(config.Settings{
		ModulePath: token.Module, TokenSerial: token.Serial, Environment: "test", Actor: "ada@example",
		PIN: func() (secret.Value, error) { return secret.New(softhsm.PIN), nil },
	}, time.Now)
	device := cryptoki.New(cryptoki.Config{
		ModulePath: token.Module, Select: cryptoki.Selector{Serial: token.Serial},
		PIN: func() ([]byte, error) { return []byte(softhsm.PIN), nil },
	})
	tb.Cleanup(func() {
		if err := device.Close(); err != nil {
			tb.Error(err)
		}
		if err := shut(); err != nil {
			tb.Error(err)
		}
	})
	return services, device
}

// TestRecordsOnly: on a token credentials are their records, and one derivation key for
// all of them.
func TestRecordsOnly(t *testing.T) {
	const count = 25
	services, device := onSoftHSM(t)
	for i := range count {
		spec := bot()
		spec.Name = fmt.Sprintf("bot-%d", i)
		must[*credential.Credential](t)(services.Credentials.Create(t.Context(), spec))
	}
	have := map[uint]int{}
	for _, o := range must[[]cryptoki.Object](t)(device.Search(t.Context(), nil)) {
		class, _ := o.Ulong(cryptoki.CKA_CLASS)
		have[class]++
	}
	// The records are the credentials', the derivation key's and the environment's mark.
	if have[cryptoki.CKO_DATA] != count+2 || have[cryptoki.CKO_SECRET_KEY] != 1 || len(have) != 2 {
		t.Errorf("by class there are %v", have)
	}
}
