package rotation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	day    = 24 * time.Hour
	period = 90 * day
	grace  = 7 * day
)

// key returns an enabled P-256 key whose versions are set up by the functions,
// numbered from 1; each starts as active since noon.
func key(versions ...func(*keyring.Version)) *keyring.Key {
	k := &keyring.Key{
		Spec:     keyring.Spec{Name: "orders", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Enabled: true},
		Versions: map[int]*keyring.Version{},
	}
	for i, set := range versions {
		v := &keyring.Version{Number: i + 1, Algorithm: keyring.ECP256, CreatedAt: noon, ActivatedAt: noon}
		set(v)
		k.Versions[v.Number] = v
		k.Counter = v.Number
	}
	return k
}

func active(*keyring.Version) {}

func replaced(v *keyring.Version) { v.DeactivatedAt, v.ProcessUntil = noon, noon.Add(grace) }

func retired(v *keyring.Version) {
	replaced(v)
	v.RetiredAt, v.RetiredBy = noon.Add(grace), keyring.RetireDisables
}

func revoked(v *keyring.Version) {
	v.DeactivatedAt, v.RevokedAt, v.RevokedFor = noon, noon, keyring.Superseded
}

func waiting(v *keyring.Version) { v.ActivatedAt, v.ActivateAfter = time.Time{}, noon.Add(day) }

func TestDue(t *testing.T) {
	schedule := rotation.Schedule{Every: period, Overlap: grace}
	for name, tc := range map[string]struct {
		key      *keyring.Key
		schedule rotation.Schedule
		change   func(*keyring.Key)
		now      time.Time
		want     bool
	}{
		"one second early":                  {key: key(active), schedule: schedule, now: noon.Add(period - time.Second)},
		"to the second":                     {key: key(active), schedule: schedule, now: noon.Add(period), want: true},
		"periods missed":                    {key: key(active), schedule: schedule, now: noon.Add(10 * period), want: true},
		"no period":                         {key: key(active), now: noon.Add(100 * period)},
		"disabled keys wait":                {key: key(active), schedule: schedule, change: func(k *keyring.Key) { k.Spec.Enabled = false }, now: noon.Add(period)},
		"removed keys never":                {key: key(active), schedule: schedule, change: func(k *keyring.Key) { k.Tombstone = &keyring.Tombstone{} }, now: noon.Add(period)},
		"pinned keys stay":                  {key: key(active, replaced), schedule: rotation.Schedule{Every: period, Pinned: 1}, now: noon.Add(period)},
		"the next version waits already":    {key: key(active, waiting), schedule: schedule, now: noon.Add(2 * period)},
		"current revoked":                   {key: key(revoked), now: noon, want: true},
		"another algorithm wanted":          {key: key(active), change: func(k *keyring.Key) { k.Spec.Algorithm = keyring.Ed25519 }, now: noon, want: true},
		"extractable wanted":                {key: key(active), change: func(k *keyring.Key) { k.Spec.Extractable = true }, now: noon, want: true},
		"other mechanisms wanted":           {key: key(active), change: func(k *keyring.Key) { k.Spec.AllowedMechanisms = []keyring.Mechanism{"CKM_ECDSA"} }, now: noon, want: true},
		"unpinned, newer one cannot return": {key: key(active, retired), now: noon, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.change != nil {
				tc.change(tc.key)
			}
			if got := tc.schedule.Due(tc.key, tc.now); got != tc.want {
				t.Errorf("Due = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestRotateAt(t *testing.T) {
	schedule := rotation.Schedule{Every: period}
	for name, tc := range map[string]struct {
		key      *keyring.Key
		schedule rotation.Schedule
		want     time.Time
	}{
		"counts from activation":              {key(active), schedule, noon.Add(period)},
		"counts from the planned activation":  {key(active, waiting), schedule, noon.Add(day + period)},
		"nothing by time":                     {key(active), rotation.Schedule{}, time.Time{}},
		"a pending version does not count":    {key(active, func(v *keyring.Version) { v.Pending, v.ActivatedAt = true, noon.Add(day) }), schedule, noon.Add(period)},
		"nothing for a key without a version": {key(), schedule, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.schedule.RotateAt(tc.key); !got.Equal(tc.want) {
				t.Errorf("RotateAt = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestPending(t *testing.T) {
	drift := map[int]keyring.Enforcement{1: keyring.EnforcementDrifted}
	for name, tc := range map[string]struct {
		key      *keyring.Key
		pinned   int
		observed map[int]keyring.Enforcement
		change   func(*keyring.Key)
		now      time.Time
		want     []string
	}{
		"nothing":                        {key: key(active), now: noon},
		"activation not yet":             {key: key(active, waiting), now: noon.Add(day - time.Second)},
		"activation demotes":             {key: key(active, waiting), now: noon.Add(day), want: []string{"activate 2", "demote 1"}},
		"activation without rival":       {key: key(revoked, waiting), now: noon.Add(day), want: []string{"activate 2"}},
		"a pin holds activation back":    {key: key(active, waiting), pinned: 1, now: noon.Add(day)},
		"overlap not over":               {key: key(replaced, active), now: noon.Add(grace - time.Second)},
		"overlap over":                   {key: key(replaced, active), now: noon.Add(grace), want: []string{"retire 1"}},
		"overlap without end":            {key: key(func(v *keyring.Version) { v.DeactivatedAt = noon }, active), now: noon.Add(1000 * day)},
		"retired already":                {key: key(retired, active), now: noon.Add(2 * grace)},
		"revoked needs no retirement":    {key: key(func(v *keyring.Version) { revoked(v); v.ProcessUntil = noon }, active), now: noon.Add(2 * grace)},
		"drift":                          {key: key(replaced, active), observed: drift, now: noon, want: []string{"enforce 1"}},
		"retirement covers drift":        {key: key(replaced, active), observed: drift, now: noon.Add(grace), want: []string{"retire 1"}},
		"a killed run":                   {key: key(replaced, active), observed: drift, now: noon, change: func(k *keyring.Key) { k.Work = &keyring.Work{Versions: []int{1, 2}} }, want: []string{"recover 2"}},
		"transitions wait when disabled": {key: key(replaced, active), now: noon.Add(grace), change: func(k *keyring.Key) { k.Spec.Enabled = false }},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.change != nil {
				tc.change(tc.key)
			}
			var got []string
			for _, step := range (rotation.Schedule{Pinned: tc.pinned}).Pending(tc.key, tc.observed, tc.now) {
				got = append(got, step.String())
				if parsed, err := rotation.ParseStep(step.String()); err != nil || parsed != step {
					t.Errorf("ParseStep(%q) = %v, %v", step, parsed, err)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("Pending = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestParseStepRefuses(t *testing.T) {
	for _, text := range []string{"", "activate", "activate x", "explode 1", "retire -1", "retire 1 2"} {
		if _, err := rotation.ParseStep(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseStep(%q): %v, want an invalid fault", text, err)
		}
	}
}
