package provider_test

import (
	"fmt"
	"slices"
	"testing"
)

// rotationState is the state of a rotation of the key "orders" whose second version
// took over from the first.
func rotationState() values {
	return values{
		"key_id": "orders", "rotate_every": "2160h", "overlap": "168h", "retire_action": "disable",
		"id": "orders/2", "version": 2, "previous_version": 1,
		"rotated_at": "2027-01-01T00:00:00Z", "rotate_at": "2027-04-01T00:00:00Z", "rotation_due": false,
		"pending_transitions": []any{}, "superseded": false,
		"public_key_pem": "PEM 2", "public_key_jwk": "{}", "jwks": "{}", "trusted_public_keys": values{"1": "PEM 1", "2": "PEM 2"},
		"versions": values{"1": versionState("deactivated"), "2": versionState("active")},
	}
}

var rotationConfig = values{"key_id": "orders", "rotate_every": "2160h", "overlap": "168h"}

func TestRotationValidation(t *testing.T) {
	for name, test := range map[string]struct {
		config    values
		attribute string
		says      []string
	}{
		"key with a slash":          {values{"key_id": "orders/1"}, "key_id", []string{"1 to 63"}},
		"period in days":            {with(rotationConfig, "rotate_every", "90d"), "rotate_every", []string{"90d", "2160h"}},
		"period of nothing":         {with(rotationConfig, "rotate_every", "0s"), "rotate_every", []string{`rotate_every must be longer than 0, and is "0s"`}},
		"negative period":           {with(rotationConfig, "rotate_every", "-1h"), "rotate_every", []string{"must be longer than 0"}},
		"very negative period":      {with(rotationConfig, "rotate_every", "-999999999h"), "rotate_every", []string{"must be longer than 0"}},
		"period of a moment":        {with(rotationConfig, "rotate_every", "500ms"), "rotate_every", []string{"must be at least a second"}},
		"period too long":           {with(rotationConfig, "rotate_every", "999999999h"), "rotate_every", []string{`"999999999h" is too long`, `"2562047h"`}},
		"empty period":              {with(rotationConfig, "rotate_every", ""), "rotate_every", []string{"not a duration"}},
		"overlap of nothing":        {with(rotationConfig, "overlap", "0h"), "overlap", []string{"must be longer than 0"}},
		"negative overlap":          {with(rotationConfig, "overlap", "-168h"), "overlap", []string{"must be longer than 0"}},
		"overlap too long":          {with(rotationConfig, "overlap", "999999999h"), "overlap", []string{"is too long"}},
		"overlap in words":          {with(rotationConfig, "overlap", "a week"), "overlap", []string{"a week"}},
		"negative activation delay": {with(rotationConfig, "activation_delay", "-1s"), "activation_delay", []string{"must not be shorter than 0", `"0s"`}},
		"endless activation delay":  {with(rotationConfig, "activation_delay", "999999999h"), "activation_delay", []string{"is too long"}},
		"activation delay too long": {with(rotationConfig, "activation_delay", "2160h"), "activation_delay", []string{"shorter than the period"}},
		"unknown retire_action":     {with(rotationConfig, "retire_action", "delete"), "retire_action", []string{"retain"}},
		"revoke by name":            {with(rotationConfig, "revoke", values{"v1": "superseded"}), "revoke", []string{"number of a version"}},
		"revoke version 0":          {with(rotationConfig, "revoke", values{"0": "superseded"}), "revoke", []string{"number of a version"}},
		"unknown reason":            {with(rotationConfig, "revoke", values{"1": "stolen"}), "revoke", []string{"key_compromise"}},
		"reason of null":            {with(rotationConfig, "revoke", values{"1": nil}), "revoke", []string{`revoke["1"] is null`}},
		"watched value of null":     {with(rotationConfig, "rotate_when_changed", values{"a": nil}), "rotate_when_changed", []string{`rotate_when_changed["a"] is null`}},
		"pin version 0":             {with(rotationConfig, "pinned_version", 0), "pinned_version", []string{"at least 1"}},
		"pin a revoked version":     {with(rotationConfig, "pinned_version", 1, "revoke", values{"1": "superseded"}), "pinned_version", []string{"listed in revoke"}},
	} {
		t.Run(name, func(t *testing.T) {
			diagnostics := newServer(t).validate(t, "hsm_key_rotation", test.config)
			wantDiagnostic(t, diagnostics, test.attribute, test.says...)
			if len(diagnostics) > 1 {
				t.Errorf("it is said more than once: %s", showAll(diagnostics))
			}
		})
	}
	for name, fine := range map[string]values{
		"least":   {"key_id": "orders"},
		"unknown": {"key_id": unknown, "rotate_every": unknown, "activation_delay": unknown, "revoke": unknown, "pinned_version": unknown},
		"most": {
			"key_id": "orders", "rotate_every": "1h30m", "overlap": "90m", "activation_delay": "0s", "rotate_when_changed": values{"a": unknown},
			"retire_action": "destroy", "revoke": values{"1": "key_compromise"}, "pinned_version": 2,
		},
	} {
		t.Run(name, func(t *testing.T) { noErrors(t, newServer(t).validate(t, "hsm_key_rotation", fine)) })
	}
}

// What a plan leaves open when the instance is replaced, and when the versions'
// states change.
var (
	stateful = []string{
		"jwks", "previous_version", "public_key_jwk", "public_key_pem", "rotate_at", "rotated_at", "rotation_due", "trusted_public_keys",
		"version", "versions",
	}
	everything = []string{
		"id", "jwks", "pending_transitions", "previous_version", "public_key_jwk", "public_key_pem", "rotate_at", "rotated_at", "rotation_due",
		"trusted_public_keys", "version", "versions",
	}
)

func and(names []string, more ...string) []string { return slices.Concat(names, more) }

func TestRotationPlan(t *testing.T) {
	due := with(rotationState(), "rotation_due", true)
	watching := with(rotationState(), "rotate_when_changed", values{"algorithm": "EC_P256"})
	superseded := with(rotationState(), "superseded", true, "rotate_at", nil)
	for name, test := range map[string]struct {
		prior, config values
		changed       []string
		replace       []string
	}{
		"nothing": {config: rotationConfig},

		"due":                       {prior: due, config: rotationConfig, changed: everything, replace: []string{"rotate_at", "rotation_due"}},
		"due but pinned at once":    {prior: due, config: with(rotationConfig, "pinned_version", 1), changed: and(stateful, "pinned_version")},
		"due without a period":      {prior: with(due, "rotate_every", nil, "rotate_at", nil), config: with(rotationConfig, "rotate_every", nil), changed: everything, replace: []string{"rotate_at", "rotation_due"}},
		"superseded is never due":   {prior: with(superseded, "rotation_due", true), config: rotationConfig},
		"superseded has no steps":   {prior: with(superseded, "pending_transitions", []any{"retire 1"}), config: rotationConfig},
		"superseded and revoked":    {prior: with(superseded, "revoke", values{"1": "superseded"}), config: with(rotationConfig, "revoke", values{"1": "superseded"})},
		"superseded, other overlap": {prior: superseded, config: with(rotationConfig, "overlap", "1h"), changed: []string{"overlap"}},
		"superseded and let go of":  {prior: superseded, config: with(rotationConfig, "key_id", "invoices", "revoke", values{"1": "superseded"}), changed: and(everything, "key_id", "revoke", "superseded"), replace: []string{"key_id"}},
		"watched value changes":     {prior: watching, config: with(rotationConfig, "rotate_when_changed", values{"algorithm": "RSA_2048"}), changed: and(everything, "rotate_when_changed"), replace: []string{"rotate_when_changed"}},
		"watched value not known":   {prior: watching, config: with(rotationConfig, "rotate_when_changed", values{"algorithm": unknown}), changed: and(everything, "rotate_when_changed"), replace: []string{"rotate_when_changed"}},
		"another value watched too": {prior: watching, config: with(rotationConfig, "rotate_when_changed", values{"algorithm": "EC_P256", "b": "c"}), changed: and(everything, "rotate_when_changed"), replace: []string{"rotate_when_changed"}},
		"watching begins":           {config: with(rotationConfig, "rotate_when_changed", values{"algorithm": "EC_P256"}), changed: []string{"rotate_when_changed"}},
		"watching ends":             {prior: watching, config: rotationConfig, changed: []string{"rotate_when_changed"}},
		"watching while pinned": {
			prior:   with(watching, "pinned_version", 1),
			config:  with(rotationConfig, "pinned_version", 1, "rotate_when_changed", values{"algorithm": "RSA_2048"}),
			changed: []string{"rotate_when_changed"},
		},

		"retirement":     {prior: with(rotationState(), "pending_transitions", []any{"retire 1"}), config: rotationConfig, changed: []string{"pending_transitions", "versions"}},
		"drift":          {prior: with(rotationState(), "pending_transitions", []any{"enforce 1"}), config: rotationConfig, changed: []string{"pending_transitions", "versions"}},
		"activation":     {prior: with(rotationState(), "pending_transitions", []any{"activate 2", "demote 1"}), config: rotationConfig, changed: and(stateful, "pending_transitions")},
		"unfinished run": {prior: with(rotationState(), "pending_transitions", []any{"recover 2"}), config: rotationConfig, changed: and(stateful, "pending_transitions")},

		"same period, other words": {config: with(rotationConfig, "rotate_every", "129600m"), changed: []string{"rotate_every"}},
		"shorter period":           {config: with(rotationConfig, "rotate_every", "720h"), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"no period":                {config: with(rotationConfig, "rotate_every", nil), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"period not known":         {config: with(rotationConfig, "rotate_every", unknown), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"overlap":                  {config: with(rotationConfig, "overlap", "1h"), changed: []string{"overlap"}},
		"activation delay":         {config: with(rotationConfig, "activation_delay", "1h"), changed: []string{"activation_delay"}},
		"retire action":            {config: with(rotationConfig, "retire_action", "destroy"), changed: []string{"retire_action"}},

		"revoke the old version":     {config: with(rotationConfig, "revoke", values{"1": "superseded"}), changed: and(stateful, "revoke")},
		"revoke the current version": {config: with(rotationConfig, "revoke", values{"2": "key_compromise"}), changed: and(everything, "revoke"), replace: []string{"revoke"}},
		"revoke and pin":             {config: with(rotationConfig, "revoke", values{"2": "key_compromise"}, "pinned_version", 1), changed: and(stateful, "pinned_version", "revoke")},
		"still revoked": {
			prior: with(rotationState(), "revoke", values{"1": "superseded"}), config: with(rotationConfig, "revoke", values{"1": "superseded"}),
		},
		"pin": {config: with(rotationConfig, "pinned_version", 1), changed: and(stateful, "pinned_version")},

		"another key": {config: with(rotationConfig, "key_id", "invoices"), changed: and(everything, "key_id"), replace: []string{"key_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			prior := test.prior
			if prior == nil {
				prior = rotationState()
			}
			p := newServer(t).plan(t, "hsm_key_rotation", prior, test.config)
			noErrors(t, p.diagnostics)
			want := slices.Clone(test.changed)
			slices.Sort(want)
			if !slices.Equal(p.changed(), want) {
				t.Errorf("changed %v, want %v", p.changed(), want)
			}
			if !slices.Equal(p.replace, test.replace) {
				t.Errorf("replaces because of %v, want %v", p.replace, test.replace)
			}
		})
	}
}

func TestRotationPlanIsComputed(t *testing.T) {
	s := newServer(t)
	p := s.plan(t, "hsm_key_rotation", rotationState(), with(rotationConfig, "rotate_every", "720h"))
	if p.values["rotate_at"] != "2027-01-31T00:00:00Z" {
		t.Errorf("rotate_at is planned as %v", p.values["rotate_at"])
	}
	p = s.plan(t, "hsm_key_rotation", with(rotationState(), "pending_transitions", []any{"retire 1"}), rotationConfig)
	if got := fmt.Sprint(p.values["pending_transitions"]); got != "[]" {
		t.Errorf("pending_transitions are planned as %v", got)
	}
	p = s.plan(t, "hsm_key_rotation", nil, rotationConfig)
	noErrors(t, p.diagnostics)
	for _, name := range everything {
		if p.values[name] != unknown {
			t.Errorf("on creation %s is planned as %v", name, p.values[name])
		}
	}
	if p.values["superseded"] != false { // a new instance is in charge
		t.Errorf("on creation superseded is planned as %v", p.values["superseded"])
	}
	if p.values["retire_action"] != "disable" {
		t.Errorf("retire_action is planned as %v", p.values["retire_action"])
	}
}

func TestRotationPlanRefuses(t *testing.T) {
	destroyed := rotationState()
	destroyed["versions"] = values{"1": versionState("destroyed"), "2": versionState("active")}
	over := with(rotationState(), "trusted_public_keys", values{"2": "PEM 2"})
	waiting := with(rotationState(), "versions", values{"1": versionState("active"), "2": versionState("pre_activation")}, "version", 1)
	superseded := with(rotationState(), "superseded", true, "id", "orders/1", "revoke", values{"1": "superseded"}, "rotate_when_changed", values{"a": "b"})
	unchanged := with(rotationConfig, "revoke", values{"1": "superseded"}, "rotate_when_changed", values{"a": "b"})
	wayOut := []string{"ERROR", "orders/1, is superseded", "terraform state rm ADDRESS", "terraform import ADDRESS orders", "make the change there"}
	for name, test := range map[string]struct {
		prior, config values
		attribute     string
		says          []string
	}{
		"revoking a version that never was": {rotationState(), with(rotationConfig, "revoke", values{"7": "superseded"}), "revoke", []string{"ERROR", "no version 7", "It has: 1, 2."}},
		"pinning a version that never was":  {rotationState(), with(rotationConfig, "pinned_version", 7), "pinned_version", []string{"ERROR", "no version 7", "It has: 1, 2."}},
		"pinning a destroyed version":       {destroyed, with(rotationConfig, "pinned_version", 1), "pinned_version", []string{"ERROR", "is destroyed"}},
		"pinning after the overlap":         {over, with(rotationConfig, "pinned_version", 1), "pinned_version", []string{"ERROR", "overlap of version 1 is over", "trusted_public_keys"}},
		"pinning a version to come":         {waiting, with(rotationConfig, "pinned_version", 2), "pinned_version", []string{"ERROR", "Version 2 waits for its activation"}},
		"watching while pinned": {
			with(rotationState(), "pinned_version", 1, "rotate_when_changed", values{"a": "b"}),
			with(rotationConfig, "pinned_version", 1, "rotate_when_changed", values{"a": "c"}),
			"rotate_when_changed", []string{"WARNING", "while a version is pinned", "forgotten"},
		},
		"superseded and revoking":     {superseded, with(unchanged, "revoke", values{"1": "superseded", "2": "superseded"}), "revoke", append(wayOut, "a change of revoke here")},
		"superseded and undoing":      {superseded, with(unchanged, "revoke", nil), "revoke", wayOut},
		"superseded and pinning":      {superseded, with(unchanged, "pinned_version", 1), "pinned_version", append(wayOut, "a change of pinned_version here")},
		"superseded and watching":     {superseded, with(unchanged, "rotate_when_changed", values{"a": "c"}), "rotate_when_changed", append(wayOut, "a change of rotate_when_changed here")},
		"superseded and doing it all": {superseded, with(rotationConfig, "pinned_version", 1), "revoke", append(wayOut, "revoke and pinned_version and rotate_when_changed")},
		"taking a revocation back": {
			with(rotationState(), "revoke", values{"1": "superseded"}), rotationConfig, "revoke", []string{"WARNING", "Version 1", "stays revoked"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newServer(t).plan(t, "hsm_key_rotation", test.prior, test.config)
			wantDiagnostic(t, p.diagnostics, test.attribute, test.says...)
		})
	}
}

func TestRotationIsLetGoOfWithoutAToken(t *testing.T) {
	noErrors(t, newServer(t).plan(t, "hsm_key_rotation", rotationState(), nil).diagnostics)
}
