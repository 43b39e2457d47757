package keyring_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

var (
	t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t1 = t0.Add(24 * time.Hour)
	t2 = t1.Add(24 * time.Hour)
	t3 = t2.Add(24 * time.Hour)
)

const (
	everything = keyring.Sign | keyring.Verify | keyring.Encrypt | keyring.Decrypt | keyring.Wrap | keyring.Unwrap
	reading    = keyring.Verify | keyring.Decrypt | keyring.Unwrap
)

func version(number int, facts func(*keyring.Version)) *keyring.Version {
	v := &keyring.Version{Number: number, Algorithm: keyring.RSA2048, Operations: everything, CreatedAt: t0}
	if facts != nil {
		facts(v)
	}
	return v
}

func keyWith(versions ...*keyring.Version) *keyring.Key {
	k := &keyring.Key{
		Spec:     keyring.Spec{Name: "orders", Algorithm: keyring.RSA2048, Operations: everything, Enabled: true, OnDestroy: keyring.DestroyDisables},
		Versions: map[int]*keyring.Version{},
	}
	for _, v := range versions {
		k.Versions[v.Number], k.Counter = v, max(k.Counter, v.Number)
	}
	return k
}

func activated(v *keyring.Version) { v.ActivatedAt = t0 }

func deactivated(v *keyring.Version) {
	activated(v)
	v.DeactivatedAt, v.ProcessUntil = t1, t2
}

func retired(by keyring.RetireAction) func(*keyring.Version) {
	return func(v *keyring.Version) {
		deactivated(v)
		v.RetiredAt, v.RetiredBy = t2, by
	}
}

func revoked(why keyring.Reason) func(*keyring.Version) {
	return func(v *keyring.Version) {
		deactivated(v)
		v.RevokedAt, v.RevokedFor = t1, why
	}
}

func destroyed(after func(*keyring.Version)) func(*keyring.Version) {
	return func(v *keyring.Version) {
		after(v)
		v.DestroyedAt = t3
	}
}

func TestState(t *testing.T) {
	const (
		pre, active, suspended  = keyring.PreActivation, keyring.Active, keyring.Suspended
		off, compromised, ended = keyring.Deactivated, keyring.Compromised, keyring.Destroyed
	)
	tombstone := func(a keyring.OnDestroy) func(*keyring.Key) {
		return func(k *keyring.Key) { k.Tombstone = &keyring.Tombstone{At: t1, Action: a} }
	}
	keys := map[string]func(*keyring.Key){
		"enabled":             func(*keyring.Key) {},
		"disabled":            func(k *keyring.Key) { k.Spec.Enabled = false },
		"tombstone, disabled": tombstone(keyring.DestroyDisables),
		"tombstone, destroys": tombstone(keyring.DestroyDestroys),
	}
	for name, tc := range map[string]struct {
		facts      func(*keyring.Version)
		state      keyring.State // while the key is in use, or retained
		unused     keyring.State // while it is not
		permitted  keyring.Operations
		mayProcess bool // before ProcessUntil
		afterwards bool // from ProcessUntil on
	}{
		"only generated":                {nil, pre, suspended, keyring.None, false, false},
		"waiting to be activated":       {func(v *keyring.Version) { v.ActivateAfter = t0 }, pre, suspended, keyring.None, false, false},
		"pending":                       {func(v *keyring.Version) { v.Pending = true }, pre, suspended, keyring.None, false, false},
		"activated":                     {activated, active, suspended, everything, true, true},
		"deactivated":                   {deactivated, off, suspended, reading, true, false},
		"deactivated, no end":           {func(v *keyring.Version) { deactivated(v); v.ProcessUntil = time.Time{} }, off, suspended, reading, true, true},
		"retired and disabled":          {retired(keyring.RetireDisables), off, off, keyring.None, false, false},
		"retired and retained":          {retired(keyring.RetireRetains), off, off, reading, false, false},
		"retired and destroyed":         {destroyed(retired(keyring.RetireDestroys)), ended, ended, keyring.None, false, false},
		"superseded":                    {revoked(keyring.Superseded), off, off, keyring.None, false, false},
		"compromised":                   {revoked(keyring.KeyCompromise), compromised, compromised, keyring.None, false, false},
		"compromised before activation": {func(v *keyring.Version) { v.RevokedAt, v.RevokedFor = t1, keyring.KeyCompromise }, compromised, compromised, keyring.None, false, false},
		"compromised and destroyed":     {destroyed(revoked(keyring.KeyCompromise)), ended, ended, keyring.None, false, false},
		"destroyed while active":        {destroyed(activated), ended, ended, keyring.None, false, false},
	} {
		for condition, set := range keys {
			t.Run(name+", key "+condition, func(t *testing.T) {
				v := version(1, tc.facts)
				k := keyWith(v)
				set(k)
				state, permitted, may, later := tc.state, tc.permitted, tc.mayProcess, tc.afterwards
				if condition != "enabled" && condition != "tombstone, retained" {
					if state = tc.unused; state == suspended {
						permitted, may, later = keyring.None, false, false
					}
				}
				if got := k.State(v); got != state {
					t.Errorf("State = %s, want %s", got, state)
				}
				if got := k.Permitted(v); got != permitted {
					t.Errorf("Permitted = %s, want %s", got, permitted)
				}
				if got := k.MayProcess(v, t2.Add(-time.Nanosecond)); got != may {
					t.Errorf("MayProcess before the end = %v", got)
				}
				if got := k.MayProcess(v, t2); got != later {
					t.Errorf("MayProcess at the end = %v", got)
				}
			})
		}
	}
}

func TestPermittedIsTheVersionsOwn(t *testing.T) {
	v := version(1, func(v *keyring.Version) { activated(v); v.Operations = keyring.Sign | keyring.Verify })
	k := keyWith(v)
	k.Spec.Operations = everything
	if got := k.Permitted(v); got != keyring.Sign|keyring.Verify {
		t.Errorf("Permitted = %s", got)
	}
	v.DeactivatedAt = t1
	if got := k.Permitted(v); got != keyring.Verify {
		t.Errorf("once deactivated, Permitted = %s", got)
	}
}

func TestStateNames(t *testing.T) {
	want := []string{"pre_activation", "active", "suspended", "deactivated", "compromised", "destroyed"}
	if got := keyring.StateNames(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestWhichVersion(t *testing.T) {
	pending := func(v *keyring.Version) { v.Pending = true }
	for name, tc := range map[string]struct {
		versions        []*keyring.Version
		current, newest int // 0 is none
		committed       bool
	}{
		"no versions":                 {nil, 0, 0, false},
		"only an intent":              {[]*keyring.Version{version(1, pending)}, 0, 0, false},
		"first, not activated":        {[]*keyring.Version{version(1, nil)}, 0, 1, true},
		"first, active":               {[]*keyring.Version{version(1, activated)}, 1, 1, true},
		"rotation begun":              {[]*keyring.Version{version(1, activated), version(2, pending)}, 1, 1, true},
		"successor published":         {[]*keyring.Version{version(1, activated), version(2, nil)}, 1, 2, true},
		"rotated":                     {[]*keyring.Version{version(1, deactivated), version(2, activated)}, 2, 2, true},
		"rolled back":                 {[]*keyring.Version{version(1, activated), version(2, deactivated)}, 1, 2, true},
		"numbers of two digits":       {[]*keyring.Version{version(9, deactivated), version(10, activated), version(2, deactivated)}, 10, 10, true},
		"the only one revoked":        {[]*keyring.Version{version(1, revoked(keyring.KeyCompromise))}, 0, 1, true},
		"everything destroyed":        {[]*keyring.Version{version(1, destroyed(deactivated)), version(2, destroyed(activated))}, 0, 2, true},
		"destroyed, and begun anew":   {[]*keyring.Version{version(1, destroyed(activated)), version(2, pending)}, 0, 1, true},
		"two active by some accident": {[]*keyring.Version{version(1, activated), version(2, activated)}, 2, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := keyWith(tc.versions...)
			number := func(v *keyring.Version) int {
				if v == nil {
					return 0
				}
				return v.Number
			}
			if got := number(k.Current()); got != tc.current {
				t.Errorf("Current = %d, want %d", got, tc.current)
			}
			if got := number(k.Newest()); got != tc.newest {
				t.Errorf("Newest = %d, want %d", got, tc.newest)
			}
			if got := k.Committed(); got != tc.committed {
				t.Errorf("Committed = %v", got)
			}
			if got := k.Numbers(); len(got) != len(tc.versions) || !slices.IsSorted(got) {
				t.Errorf("Numbers = %v", got)
			}
		})
	}
}

func TestCurrentSurvivesDisabling(t *testing.T) {
	k := keyWith(version(1, activated))
	k.Spec.Enabled = false
	if v := k.Current(); v == nil || v.Number != 1 {
		t.Errorf("Current = %v", v)
	}
}

func TestSuperseded(t *testing.T) {
	two := []*keyring.Version{version(1, deactivated), version(2, activated)}
	for name, tc := range map[string]struct {
		versions []*keyring.Version
		rotation int // 0 is none
		instance int
		want     bool
	}{
		"manages it":                    {two, 2, 2, false},
		"another manages it":            {two, 2, 1, true},
		"rolled back, still its own":    {two, 1, 1, false},
		"nobody, and the newest":        {two, 0, 2, false},
		"nobody, and not the newest":    {two, 0, 1, false},
		"nobody, and there is nothing":  {nil, 0, 1, false},
		"another, and there is nothing": {nil, 2, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := keyWith(tc.versions...)
			if tc.rotation != 0 {
				k.Rotation = &keyring.Rotation{Instance: tc.rotation}
			}
			if got := k.Superseded(tc.instance); got != tc.want {
				t.Errorf("Superseded(%d) = %v", tc.instance, got)
			}
		})
	}
}

// fill sets every field reachable from v to something other than its zero value,
// so that a field added later cannot be forgotten in Clone or in JSON.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(t1))
			return
		}
		for _, field := range v.Fields() {
			fill(t, field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("something")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(uint64(keyring.Sign)) // also the only operation, and the only octet
	default:
		t.Fatalf("do not know how to fill a %s", v.Type())
	}
}

func filledKey(t *testing.T) *keyring.Key {
	t.Helper()
	var k keyring.Key
	fill(t, reflect.ValueOf(&k).Elem())
	return &k
}

// shared finds a pointer, map or slice that two values have in common.
func shared(path string, a, b reflect.Value) []string {
	var found []string
	switch a.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if a.Pointer() == b.Pointer() && !a.IsNil() {
			return []string{path}
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		found = shared(path, a.Elem(), b.Elem())
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return nil
		}
		for i := range a.NumField() {
			found = append(found, shared(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))...)
		}
	case reflect.Slice:
		for i := range a.Len() {
			found = append(found, shared(path+"[]", a.Index(i), b.Index(i))...)
		}
	case reflect.Map:
		for _, key := range a.MapKeys() {
			found = append(found, shared(path+"[]", a.MapIndex(key), b.MapIndex(key))...)
		}
	}
	return found
}

func TestCloneIsDeep(t *testing.T) {
	k := filledKey(t)
	c := k.Clone()
	if !reflect.DeepEqual(k, c) {
		t.Fatalf("the copy differs:\n%+v\n%+v", k, c)
	}
	if paths := shared("Key", reflect.ValueOf(k), reflect.ValueOf(c)); len(paths) != 0 {
		t.Errorf("the copy shares %v", paths)
	}
}

func TestCloneOfNearlyNothing(t *testing.T) {
	c := (&keyring.Key{}).Clone()
	if c.Versions == nil || c.Rotation != nil || c.Tombstone != nil || c.Work != nil {
		t.Errorf("got %+v", c)
	}
}

func TestKeyJSON(t *testing.T) {
	for name, k := range map[string]*keyring.Key{
		"every field": filledKey(t),
		"usual":       keyWith(version(1, deactivated), version(2, activated)),
		"no versions": keyWith(),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			var back keyring.Key
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(k, &back) {
				t.Errorf("the key changed on its way through\n%s", text)
			}
			if again, err := json.Marshal(&back); err != nil || string(again) != string(text) {
				t.Errorf("not stable:\n%s\n%s", text, again)
			}
		})
	}
}

func TestKeyJSONLeavesOutWhatIsNotYet(t *testing.T) {
	text, err := json.Marshal(keyWith(version(1, activated)).Versions[1])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"number":1,"algorithm":"RSA_2048","operations":["sign","verify","encrypt","decrypt","wrap","unwrap"],"ref":{"id":"","label":""},` +
		`"birth":{"local":false,"never_extractable":false,"always_sensitive":false,"attested":false},` +
		`"created_at":"2026-01-01T00:00:00Z","activated_at":"2026-01-01T00:00:00Z"}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
