package cryptoki_test

import (
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

func TestSelection(t *testing.T) {
	store := softhsm.NewStore(t)
	one := store.Init(t, "one")
	twin1, twin2 := store.Init(t, "twin"), store.Init(t, "twin")
	fresh := freshSlot(t, one)
	none := uint(4711)
	tests := []struct {
		name   string
		sel    cryptoki.Selector
		serial string     // what is selected,
		kind   fault.Kind // or why nothing is
		want   []string
	}{
		{"by label", cryptoki.Selector{Label: "one"}, one.Serial, 0, nil},
		{"by serial", cryptoki.Selector{Serial: twin2.Serial}, twin2.Serial, 0, nil},
		{"by label and serial", cryptoki.Selector{Label: "twin", Serial: twin1.Serial}, twin1.Serial, 0, nil},
		{"by model and label", cryptoki.Selector{Label: "one", Model: "SoftHSM v2"}, one.Serial, 0, nil},
		{"several", cryptoki.Selector{Label: "twin"}, "", fault.Invalid, []string{`label "twin"`, "2 tokens match", twin1.Serial, twin2.Serial}},
		{"several, nothing asked", cryptoki.Selector{}, "", fault.Invalid, []string{"any token", "several", one.Serial, twin1.Serial, twin2.Serial}},
		{"wrong label", cryptoki.Selector{Label: "prod"}, "", fault.Unavailable, []string{`label "prod"`, `"one"`, one.Serial, "SoftHSM v2", "slot ", "uninitialised"}},
		{"label of another serial", cryptoki.Selector{Label: "one", Serial: twin1.Serial}, "", fault.Unavailable, []string{`label "one", serial "` + twin1.Serial}},
		{"no such slot", cryptoki.Selector{Slot: &none}, "", fault.Unavailable, []string{"slot 4711"}},
		{"uninitialised", cryptoki.Selector{Slot: &fresh}, "", fault.Invalid, []string{"not initialised"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := config(one)
			c.Select = test.sel
			info, err := open(t, c).Info(t.Context())
			if test.serial != "" {
				if err != nil || info.Serial != test.serial {
					t.Errorf("got %q, %v", info.Serial, err)
				}
				return
			}
			if !fault.Is(err, test.kind) {
				t.Fatalf("got %v, want %s", err, test.kind)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

// freshSlot returns the slot in which SoftHSM always has an uninitialised token.
func freshSlot(t *testing.T, token *softhsm.Token) uint {
	t.Helper()
	d, err := cryptoki.OpenModule(token.Module)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Unload()
	if err := d.Initialize(""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Finalize() }()
	slots, err := d.Slots()
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		if info, err := d.TokenInfo(slot); err == nil && info.Flags&cryptoki.CKF_TOKEN_INITIALIZED == 0 {
			return slot
		}
	}
	t.Fatal("SoftHSM shows no uninitialised token")
	return 0
}

func TestTheOnlyToken(t *testing.T) {
	soft := softhsm.New(t, "only")
	c := config(soft)
	c.Select = cryptoki.Selector{}
	info, err := open(t, c).Info(t.Context())
	if err != nil || info.Serial != soft.Serial {
		t.Errorf("got %q, %v", info.Serial, err)
	}
}

// TestStartRace hides the token twice, as SoftHSM does while another process logs in.
func TestStartRace(t *testing.T) {
	soft := softhsm.New(t, "racy")
	tests := []struct {
		name string
		fail func(l *layer, slot uint) (cryptoki.TokenInfo, error)
	}{
		{"hidden", func(*layer, uint) (cryptoki.TokenInfo, error) { return cryptoki.TokenInfo{}, nil }},
		{"general error", func(*layer, uint) (cryptoki.TokenInfo, error) {
			return cryptoki.TokenInfo{}, cryptoki.Returns("C_GetTokenInfo", cryptoki.CKR_GENERAL_ERROR)
		}},
		{"without PIN", func(l *layer, slot uint) (cryptoki.TokenInfo, error) {
			info, err := l.Driver.TokenInfo(slot)
			info.Flags &^= cryptoki.CKF_USER_PIN_INITIALIZED
			return info, err
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var l layer
			l.tokenInfo = func(slot uint) (cryptoki.TokenInfo, error) {
				if l.initialized.Load() <= 2 {
					return test.fail(&l, slot)
				}
				return l.Driver.TokenInfo(slot)
			}
			if _, err := open(t, l.on(config(soft))).Objects(t.Context()); err != nil {
				t.Error(err)
			}
			if n := l.initialized.Load(); n != 3 {
				t.Errorf("the module was initialised %d times, want 3", n)
			}
		})
	}
	t.Run("for ever", func(t *testing.T) {
		var l layer
		l.tokenInfo = func(uint) (cryptoki.TokenInfo, error) { return cryptoki.TokenInfo{}, nil }
		if _, err := open(t, l.on(config(soft))).Objects(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
		if n := l.initialized.Load(); n != 8 {
			t.Errorf("the module was initialised %d times, want 8", n)
		}
	})
}
