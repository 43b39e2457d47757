package provider_test

import (
	"slices"
	"testing"
)

// credentialState is the state of the shared secret "bot", whose second version took
// over from the first.
func credentialState() values {
	return values{
		"name": "bot", "owner": "desk", "enabled": true, "type": "shared_secret", "algorithm": "hmac-sha256", "rotate_every": "2160h", "overlap": "168h",
		"id": "bot", "version": 2, "key_id": "test~bot~2", "fingerprint_sha256": "02", "rotate_at": "2027-04-01T00:00:00Z", "rotation_due": false,
		"versions": values{"1": credentialVersion("overlapping"), "2": credentialVersion("active")},
	}
}

func credentialVersion(state string) values {
	return values{
		"state": state, "algorithm": "hmac-sha256", "key_id": "test~bot", "fingerprint_sha256": "00", "created_at": "2027-01-01T00:00:00Z",
	}
}

// What a plan leaves open when there will be a new version.
var opened = []string{"fingerprint_sha256", "key_id", "rotate_at", "rotation_due", "version", "versions"}

func TestAPICredentialPlan(t *testing.T) {
	config := with(botConfig, "rotate_every", "2160h", "overlap", "168h")
	to, other := newIdentity(t).Recipient().String(), newIdentity(t).Recipient().String()
	due := with(credentialState(), "rotation_due", true)
	sealed := with(credentialState(), "recipients", []any{to}, "sealed_secret", "SEALED")
	watching := with(credentialState(), "rotate_when_changed", values{"a": "b"})
	expiring := with(credentialState(), "expires_at", "2028-01-01T00:00:00Z")
	lasting := with(credentialState(), "valid_for", "9000h")
	ada, newcomer := newPair(t), newPair(t)
	person := with(credentialState(), "type", "public_key", "algorithm", nil, "public_key", ada.ssh)
	personConfig := with(config, "type", "public_key", "algorithm", nil, "public_key", ada.ssh)
	for name, test := range map[string]struct {
		prior, config values
		changed       []string
		replace       []string
		warns         string
	}{
		"nothing": {config: config},
		"owner":   {config: with(config, "owner", "ada"), changed: []string{"owner"}},
		"tags":    {config: with(config, "tags", values{"a": "b"}), changed: []string{"tags"}},
		"disable": {config: with(config, "enabled", false), changed: []string{"enabled", "rotation_due", "versions"}},
		"another name": {
			config: with(config, "name", "robot"), changed: and(opened, "id", "name"), replace: []string{"name"},
		},
		"another type": {
			config: personConfig, changed: and(opened, "algorithm", "public_key", "type"), replace: []string{"type"},
		},

		"another algorithm":     {config: with(config, "algorithm", "hmac-sha512"), changed: and(opened, "algorithm")},
		"algorithm not known":   {config: with(config, "algorithm", unknown), changed: and(opened, "algorithm")},
		"another public key":    {prior: person, config: with(personConfig, "public_key", newcomer.ssh), changed: and(opened, "public_key")},
		"public key not known":  {prior: person, config: with(personConfig, "public_key", unknown), changed: and(opened, "public_key")},
		"comment of the key":    {prior: person, config: with(personConfig, "public_key", ada.ssh+" ada@example"), changed: []string{"public_key"}},
		"the same key in PEM":   {prior: person, config: with(personConfig, "public_key", ada.pem), changed: []string{"public_key"}},
		"another key in PEM":    {prior: person, config: with(personConfig, "public_key", newcomer.pem), changed: and(opened, "public_key")},
		"reminder":              {prior: with(person, "rotation_due", true), config: personConfig, warns: "Another public key is called for"},
		"reminder heeded":       {prior: with(person, "rotation_due", true), config: with(personConfig, "public_key", newcomer.ssh), changed: and(opened, "public_key")},
		"due":                   {prior: due, config: config, changed: opened},
		"due and disabled":      {prior: due, config: with(config, "enabled", false), changed: []string{"enabled", "rotation_due", "versions"}},
		"due and sealed":        {prior: with(sealed, "rotation_due", true), config: with(config, "recipients", []any{to}), changed: and(opened, "sealed_secret")},
		"due without a period":  {prior: with(due, "rotate_every", nil, "rotate_at", nil), config: with(config, "rotate_every", nil), changed: without(opened, "rotate_at")},
		"watched value changes": {prior: watching, config: with(config, "rotate_when_changed", values{"a": "c"}), changed: and(opened, "rotate_when_changed")},
		"watched not known":     {prior: watching, config: with(config, "rotate_when_changed", values{"a": unknown}), changed: and(opened, "rotate_when_changed")},
		"watching begins":       {config: with(config, "rotate_when_changed", values{"a": "b"}), changed: []string{"rotate_when_changed"}},
		"watching ends":         {prior: watching, config: config, changed: []string{"rotate_when_changed"}},

		"sealing begins":       {config: with(config, "recipients", []any{to}), changed: []string{"recipients", "sealed_secret"}},
		"other recipients":     {prior: sealed, config: with(config, "recipients", []any{to, other}), changed: []string{"recipients", "sealed_secret"}},
		"recipients not known": {prior: sealed, config: with(config, "recipients", []any{unknown}), changed: []string{"recipients", "sealed_secret"}},
		"same recipients":      {prior: sealed, config: with(config, "recipients", []any{to})},
		"sealing ends":         {prior: sealed, config: config, changed: []string{"recipients", "sealed_secret"}},

		"expiry":              {config: with(config, "expires_at", "2028-01-01T00:00:00Z"), changed: []string{"expires_at", "rotation_due", "versions"}},
		"expiry not known":    {config: with(config, "expires_at", unknown), changed: []string{"expires_at", "rotation_due", "versions"}},
		"expiry in a zone":    {prior: expiring, config: with(config, "expires_at", "2028-01-01T01:00:00+01:00"), changed: []string{"expires_at"}},
		"expiry taken away":   {prior: expiring, config: config, changed: []string{"expires_at", "rotation_due", "versions"}},
		"validity":            {config: with(config, "valid_for", "9000h"), changed: []string{"rotation_due", "valid_for", "versions"}},
		"validity, reworded":  {prior: lasting, config: with(config, "valid_for", "540000m"), changed: []string{"valid_for"}},
		"period":              {config: with(config, "rotate_every", "720h"), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"period, reworded":    {config: with(config, "rotate_every", "129600m"), changed: []string{"rotate_every"}},
		"period not known":    {config: with(config, "rotate_every", unknown), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"no period":           {config: with(config, "rotate_every", nil), changed: []string{"rotate_at", "rotate_every", "rotation_due"}},
		"overlap":             {config: with(config, "overlap", "1h"), changed: []string{"overlap"}},
		"revoke the old one":  {config: with(config, "revoke", values{"1": "superseded"}), changed: []string{"revoke", "rotation_due", "versions"}},
		"revoke the newest":   {config: with(config, "revoke", values{"2": "key_compromise"}), changed: and(opened, "revoke")},
		"revoke not known":    {config: with(config, "revoke", unknown), changed: and(opened, "revoke")},
		"revoke a public key": {prior: person, config: with(personConfig, "revoke", values{"2": "key_compromise"}), changed: []string{"revoke", "rotation_due", "versions"}},
		"still revoked": {
			prior: with(credentialState(), "revoke", values{"1": "superseded"}), config: with(config, "revoke", values{"1": "superseded"}),
		},
		"taking a revocation back": {
			prior: with(credentialState(), "revoke", values{"1": "superseded"}), config: config, changed: []string{"revoke"}, warns: "stays revoked",
		},
	} {
		t.Run(name, func(t *testing.T) {
			prior := test.prior
			if prior == nil {
				prior = credentialState()
			}
			p := newServer(t).plan(t, "hsm_api_credential", prior, test.config)
			noErrors(t, p.diagnostics)
			want := slices.Sorted(slices.Values(test.changed))
			if !slices.Equal(p.changed(), want) {
				t.Errorf("changed %v, want %v", p.changed(), want)
			}
			if !slices.Equal(p.replace, test.replace) {
				t.Errorf("replaces because of %v, want %v", p.replace, test.replace)
			}
			if test.warns != "" {
				wantDiagnostic(t, p.diagnostics, "", "WARNING", test.warns)
			} else if len(p.diagnostics) > 0 {
				t.Errorf("unexpected: %s", showAll(p.diagnostics))
			}
		})
	}
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

func TestAPICredentialPlanIsComputed(t *testing.T) {
	s := newServer(t)
	p := s.plan(t, "hsm_api_credential", credentialState(), with(botConfig, "overlap", "168h", "rotate_every", "720h"))
	if p.values["rotate_at"] != "2027-01-31T00:00:00Z" {
		t.Errorf("rotate_at is planned as %v", p.values["rotate_at"])
	}
	for name, test := range map[string]struct{ config, want values }{
		"least": {botConfig, values{"id": "bot", "enabled": true, "sealed_secret": nil, "rotate_at": nil, "version": unknown, "key_id": unknown, "versions": unknown}},
		"most": {
			with(botConfig, "recipients", []any{newIdentity(t).Recipient().String()}, "rotate_every", "1h"),
			values{"id": "bot", "sealed_secret": unknown, "rotate_at": unknown},
		},
		"of a name to come": {with(botConfig, "name", unknown), values{"id": unknown}},
	} {
		p := s.plan(t, "hsm_api_credential", nil, test.config)
		noErrors(t, p.diagnostics)
		for attribute, want := range test.want {
			if p.values[attribute] != want {
				t.Errorf("%s: %s is planned as %v, want %v", name, attribute, p.values[attribute], want)
			}
		}
	}
	p = s.plan(t, "hsm_api_credential", credentialState(), with(botConfig, "overlap", "168h", "rotate_every", "2160h", "revoke", values{"7": "superseded"}))
	wantDiagnostic(t, p.diagnostics, "revoke", "ERROR", "no version 7", "It has: 1, 2.")
}
