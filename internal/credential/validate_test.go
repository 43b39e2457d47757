package credential_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// TestValidate: each rule is told about at its argument, which the Subject names as
// Terraform spells it.
func TestValidate(t *testing.T) {
	type row struct {
		change        func(*credential.Spec)
		subject, says string // empty if the spec is fine
	}
	secrets := map[string]row{
		"as it is":                   {func(s *credential.Spec) {}, "", ""},
		"no name":                    {func(s *credential.Spec) { s.Name = "" }, "name", "1 to 63"},
		"a name with a space":        {func(s *credential.Spec) { s.Name = "my bot" }, "name", `"my bot"`},
		"a name with the separator":  {func(s *credential.Spec) { s.Name = "my~bot" }, "name", "1 to 63"},
		"a name that starts wrong":   {func(s *credential.Spec) { s.Name = ".bot" }, "name", "start with"},
		"a long name":                {func(s *credential.Spec) { s.Name = strings.Repeat("x", 64) }, "name", "1 to 63"},
		"the longest name":           {func(s *credential.Spec) { s.Name = strings.Repeat("x", 63) }, "", ""},
		"the name for all":           {func(s *credential.Spec) { s.Name = "any" }, "name", "what policies call"},
		"nearly the name for all":    {func(s *credential.Spec) { s.Name = "Any" }, "", ""},
		"no owner":                   {func(s *credential.Spec) { s.Owner = "" }, "owner", "needs an owner"},
		"a blank owner":              {func(s *credential.Spec) { s.Owner = " " }, "owner", "needs an owner"},
		"an owner with a line break": {func(s *credential.Spec) { s.Owner = "spot\ndesk" }, "owner", "control characters"},
		"an owner with a tab":        {func(s *credential.Spec) { s.Owner = "spot\tdesk" }, "owner", "control characters"},
		"space around an owner":      {func(s *credential.Spec) { s.Owner = "spot-desk " }, "owner", "spaces around it"},
		"a long owner":               {func(s *credential.Spec) { s.Owner = strings.Repeat("ö", 129) }, "owner", "128"},
		"the longest owner":          {func(s *credential.Spec) { s.Owner = strings.Repeat("ö", 128) }, "", ""},
		"an owner as people write":   {func(s *credential.Spec) { s.Owner = "Zoë O'Brien: spot desk <spot@example>" }, "", ""},
		"a tag without a name":       {func(s *credential.Spec) { s.Tags = map[string]string{"": "v"} }, "tags", "cannot be named"},
		"a tag with an equals sign":  {func(s *credential.Spec) { s.Tags = map[string]string{"a=b": "c"} }, "tags", "equals sign"},
		"a tag with a control":       {func(s *credential.Spec) { s.Tags = map[string]string{"a\x00": "c"} }, "tags", "control characters"},
		"a tag's value with one":     {func(s *credential.Spec) { s.Tags = map[string]string{"a": "c\n"} }, "tags", "control characters"},
		"tags that are fine":         {func(s *credential.Spec) { s.Tags = map[string]string{"a": "b=c", "empty": ""} }, "", ""},
		"no type":                    {func(s *credential.Spec) { s.Type = "" }, "type", "public_key (recommended) or shared_secret"},
		"another type":               {func(s *credential.Spec) { s.Type = "password" }, "type", `"password"`},
		"no algorithm":               {func(s *credential.Spec) { s.Algorithm = "" }, "algorithm", "needs an algorithm"},
		"another algorithm":          {func(s *credential.Spec) { s.Algorithm = "hmac-md5" }, "algorithm", "hmac-sha256 or hmac-sha512"},
		"a key's algorithm":          {func(s *credential.Spec) { s.Algorithm = credential.Ed25519 }, "algorithm", "ed25519"},
		"a public key as well":       {func(s *credential.Spec) { s.PublicKey = keyring.PublicKey{1} }, "public_key", "has no public key"},
		"a public key not read yet":  {func(s *credential.Spec) { s.Declared.PublicKey = "ssh-ed25519" }, "public_key", "has no public key"},
		"a bad recipient":            {func(s *credential.Spec) { s.Recipients = []string{"somebody"} }, "recipients", "not a recipient"},
		"both ends":                  {func(s *credential.Spec) { s.ExpiresAt, s.ValidFor = noon, 30*day }, "valid_for", "expires_at"},
		"less validity than none":    {func(s *credential.Spec) { s.ValidFor = -day }, "valid_for", "positive"},
		"less rotation than none":    {func(s *credential.Spec) { s.RotateEvery = -1 }, "rotate_every", "positive"},
		"less overlap than none":     {func(s *credential.Spec) { s.Overlap = -1 }, "overlap", "positive"},
		"overlap beyond validity":    {func(s *credential.Spec) { s.ValidFor, s.Overlap = day, day+1 }, "overlap", "longer than a version is valid"},
		"overlap like validity":      {func(s *credential.Spec) { s.ValidFor, s.Overlap = day, day }, "", ""},
		"overlap beyond rotation":    {func(s *credential.Spec) { s.RotateEvery, s.Overlap = day, 3*day }, "", ""},
		"version 0 revoked":          {func(s *credential.Spec) { s.Revoke = map[int]keyring.Reason{0: keyring.KeyCompromise} }, "revoke", "numbered from 1"},
		"a reason that is none":      {func(s *credential.Spec) { s.Revoke = map[int]keyring.Reason{1: "boredom"} }, "revoke", "key_compromise"},
	}
	for name, test := range secrets {
		t.Run("shared_secret "+name, func(t *testing.T) {
			spec := bot()
			test.change(&spec)
			wantRefused(t, spec.Validate(), test.subject, test.says)
		})
	}
	keys := map[string]row{
		"as it is":                      {func(s *credential.Spec) {}, "", ""},
		"a reminder":                    {func(s *credential.Spec) { s.RotateEvery, s.Overlap = 90*day, day }, "", ""},
		"no key":                        {func(s *credential.Spec) { s.PublicKey = nil }, "public_key", "needs a public key"},
		"a broken key":                  {func(s *credential.Spec) { s.PublicKey = s.PublicKey[1:] }, "public_key", "not a public key"},
		"an algorithm as well":          {func(s *credential.Spec) { s.Algorithm = credential.Ed25519 }, "algorithm", "beside public_key"},
		"a secret's algorithm as well":  {func(s *credential.Spec) { s.Algorithm = credential.HMACSHA256 }, "algorithm", "beside public_key"},
		"recipients":                    {func(s *credential.Spec) { s.Recipients = []string{newIdentity(t).Recipient().String()} }, "recipients", "no secret"},
		"values that are watched":       {func(s *credential.Spec) { s.RotateWhenChanged = map[string]string{"a": "b"} }, "rotate_when_changed", "in no other way"},
		"no values that are watched":    {func(s *credential.Spec) { s.RotateWhenChanged = map[string]string{} }, "rotate_when_changed", "in no other way"},
		"the end, and rules for names":  {func(s *credential.Spec) { s.Name = "any" }, "name", "policies"},
		"overlap beyond what it is for": {func(s *credential.Spec) { s.ValidFor, s.Overlap = day, 2*day }, "overlap", "longer"},
	}
	for name, test := range keys {
		t.Run("public_key "+name, func(t *testing.T) {
			spec, _ := person(t)
			test.change(&spec)
			wantRefused(t, spec.Validate(), test.subject, test.says)
		})
	}
}

// wantRefused wants an argument refused, or nothing if there is no subject.
func wantRefused(t *testing.T, err error, subject, says string) {
	t.Helper()
	if subject != "" {
		wantFault(t, err, fault.Invalid, subject, says)
	} else if err != nil {
		t.Error(err)
	}
}

// TestCheckExpiry: an end is looked at with the clock when it is newly given, and then
// only.
func TestCheckExpiry(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]struct {
		end, before   time.Time // the zero time before is for a new credential
		overlap       time.Duration
		subject, says string
	}{
		"in the past":             {noon.Add(-1), time.Time{}, 0, "expires_at", "future"},
		"now":                     {noon, time.Time{}, 0, "expires_at", "2026-03-01T12:00:00Z"},
		"in a second":             {noon.Add(time.Second), time.Time{}, 0, "", ""},
		"before the overlap ends": {noon.Add(day), time.Time{}, day + 1, "overlap", "2026-03-02T12:00:00Z"},
		"with the overlap":        {noon.Add(day), time.Time{}, day, "", ""},
		"moved to the past":       {noon.Add(-hour), noon.Add(day), 0, "expires_at", "future"},
		"passed since":            {noon.Add(-hour), noon.Add(-hour), day, "", ""},
		"passed, in another zone": {noon.Add(-hour), noon.Add(-hour).In(time.FixedZone("CET", 3600)), day, "", ""},
		"moved nearer":            {noon.Add(hour), noon.Add(day), 2 * hour, "overlap", "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := bot()
			spec.ExpiresAt, spec.Overlap = test.end, test.overlap
			var prior *credential.Spec
			if !test.before.IsZero() {
				former := spec
				former.ExpiresAt = test.before
				prior = &former
			}
			wantRefused(t, b.service().Check(t.Context(), spec, prior), test.subject, test.says)
		})
	}
}

// TestCheck: a check asks the environment and the token, and changes nothing.
func TestCheck(t *testing.T) {
	b := newBench(t)
	secret := bot()
	public, _ := person(t)
	check := func(environment string, spec credential.Spec) error {
		return b.run(environment).Check(t.Context(), spec, nil)
	}

	if err := check("test", secret); err != nil {
		t.Error(err)
	}
	if b.mark.name != "" || b.root.made != 0 || len(b.store.Stored) != 0 {
		t.Errorf("it left the stamp %q, %d keys and %d records", b.mark.name, b.root.made, len(b.store.Stored))
	}
	b.root.trouble = &fault.Error{Kind: fault.Unsupported, Op: "check token", Problem: "It has no HMAC."}
	wantFault(t, check("test", secret), fault.Unsupported, "", "no HMAC")
	if err := check("test", public); err != nil {
		t.Errorf("a public key needs nothing of the token: %v", err)
	}
	b.mark.name = "prod"
	wantFault(t, check("test", public), fault.Environment, "", `"prod"`)
	public.Name = ""
	wantFault(t, check("test", public), fault.Invalid, "name", "")
}

// TestNamesListed: what a schema offers is what a spec may say.
func TestNamesListed(t *testing.T) {
	want := map[string]bool{"active": true, "overlapping": true, "superseded": true, "expired": true, "revoked": true, "suspended": true}
	got := map[string]bool{}
	for _, name := range credential.StateNames() {
		got[name] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("the states are %v", got)
	}
}
