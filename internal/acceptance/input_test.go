package acceptance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestBadInput: each is an error at plan that says what to do, and leaves nothing
// on the token.
func TestBadInput(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	key := func(line string) string { return orders(token, line, schedule) }
	rotation := func(lines string) string { return orders(token, "", lines) }
	swap := func(old, replacement string) string {
		return strings.Replace(orders(token, "", schedule), old, replacement, 1)
	}
	module := fmt.Sprintf("module_path = %q", token.Module)
	for name, tc := range map[string]struct {
		configuration string
		says          []string
	}{
		"no such token":        {swap(`token_label = "acceptance"`, `token_label = "elsewhere"`), []string{"elsewhere", "acceptance", token.Serial, "SoftHSM v2"}},
		"no such serial":       {swap(`token_label = "acceptance"`, `token_serial = "0815"`), []string{"0815", token.Serial}},
		"uninitialised token":  {swap(`token_label = "acceptance"`, `slot_id = 1`), []string{"initiali", "slot"}},
		"no token selected":    {swap(`token_label = "acceptance"`, ``), []string{"token_label", "token_serial", "slot_id"}},
		"two ways to select":   {swap(module, module+"\n  uri = \"pkcs11:token=acceptance\""), []string{"uri", "module_path", "token_label"}},
		"malformed URI":        {swap(module+"\n  token_label = \"acceptance\"", `uri = "pkcs11:token=%zz"`), []string{"uri", `Attribute "token"`, "percent sign"}},
		"URI without a module": {swap(module+"\n  token_label = \"acceptance\"", `uri = "pkcs11:token=acceptance"`), []string{"module-path"}},
		"pin-source missing":   {swap(module+"\n  token_label = \"acceptance\"", fmt.Sprintf(`uri = "pkcs11:token=acceptance?module-path=%s&pin-source=file:/nowhere/pin"`, token.Module)), []string{"/nowhere/pin"}},
		"no environment":       {swap(`environment = "test"`, ``), []string{"environment", "HSM_ENVIRONMENT"}},
		"bad environment":      {swap(`environment = "test"`, `environment = "a b"`), []string{"environment", "a b"}},
		"no sessions":          {swap(module, module+"\n  max_sessions = 0"), []string{"max_sessions"}},
		"bad key name": {swap(`"orders"
  algorithm`, `"my orders"
  algorithm`), []string{"my orders", "letters"}},
		"unknown algorithm":     {swap(`"EC_P256"`, `"DES"`), []string{"DES", "EC_P256"}},
		"unknown operation":     {key(`operations = ["fly"]`), []string{"fly", "sign"}},
		"impossible operation":  {key(`operations = ["encrypt"]`), []string{"cannot encrypt", "sign, verify"}},
		"no operation":          {key(`operations = []`), []string{"Cannot declare key", "sign, verify"}},
		"operation of null":     {key(`operations = [null]`), []string{"operations is null"}},
		"tag of null":           {key(`tags = { a = null }`), []string{`tags["a"] is null`}},
		"unknown mechanism":     {key(`allowed_mechanisms = ["CKM_AES_XTS"]`), []string{"no mechanism CKM_AES_XTS", "CKM_ECDSA"}},
		"mechanism that can't":  {key(`allowed_mechanisms = ["CKM_AES_GCM"]`), []string{"None of the allowed mechanisms lets an EC_P256 key sign", "CKM_ECDSA", "allowed_mechanisms"}},
		"bad on_destroy":        {key(`on_destroy = "shred"`), []string{"shred", "disable"}},
		"overlap of zero":       {rotation(`overlap = "0s"`), []string{"overlap must be longer than 0"}},
		"negative overlap":      {rotation(`overlap = "-1h"`), []string{"overlap must be longer than 0"}},
		"endless overlap":       {rotation(`overlap = "999999999h"`), []string{"999999999h", "too long", "2562047h"}},
		"overlap unparsable":    {rotation(`overlap = "a week"`), []string{"a week", "2160h"}},
		"period of zero":        {rotation(`rotate_every = "0h"`), []string{"rotate_every"}},
		"period unparsable":     {rotation(`rotate_every = "90d"`), []string{"90d", "2160h"}},
		"negative delay":        {rotation(`activation_delay = "-1s"`), []string{"activation_delay"}},
		"delay beyond period":   {rotation("rotate_every = \"1h\"\n  activation_delay = \"2h\""), []string{"activation_delay"}},
		"revoke without number": {rotation(`revoke = { "first" = "key_compromise" }`), []string{"first"}},
		"revoke with null":      {rotation(`revoke = { "1" = null }`), []string{`revoke["1"] is null`}},
		"watching null":         {rotation(`rotate_when_changed = { a = null }`), []string{`rotate_when_changed["a"] is null`}},
		"revoke without reason": {rotation(`revoke = { "1" = "because" }`), []string{"because", "key_compromise"}},
		"pin of zero":           {rotation(`pinned_version = 0`), []string{"pinned_version"}},
		"pin of a revoked one":  {rotation("pinned_version = 1\n  revoke = { \"1\" = \"superseded\" }"), []string{"pinned_version"}},
		"unknown retirement":    {rotation(`retire_action = "forget"`), []string{"forget", "disable"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func(outer *testing.T) { c.t = outer }(c.t)
			c.t = t
			c.configure(tc.configuration)
			c.failing([]string{"plan"}, tc.says...)
		})
	}
	if objects := token.Tool(t, "--list-objects"); strings.TrimSpace(objects[strings.Index(objects, "\n")+1:]) != "" {
		t.Errorf("plans that failed left something on the token:\n%s", objects)
	}
}

func TestSeveralTokensMatch(t *testing.T) {
	store := softhsm.NewStore(t)
	one, two := store.Init(t, "twin"), store.Init(t, "twin")
	c := newCLI(t, orders(one, "", schedule))
	c.failing([]string{"plan"}, "serial number", one.Serial, two.Serial)
	c.configure(strings.Replace(orders(one, "", schedule), `token_label = "twin"`, fmt.Sprintf("token_label = \"twin\"\n  token_serial = %q", two.Serial), 1))
	c.apply()
	c.noChanges()
}

// TestNameTaken: a second declaration of a key is refused with the way to take it over.
func TestNameTaken(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	newCLI(t, orders(token, "", schedule)).apply()
	c := newCLI(t, orders(token, "", schedule))
	c.failing([]string{"apply", "-auto-approve"}, "already exists", "import {", `id = "orders"`)
	if c.state("hsm_key.orders") != nil {
		t.Error("the key of somebody else is in the state")
	}
}

// TestUnknownAtPlan: a provider whose token is known only after apply is no error.
func TestUnknownAtPlan(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	configuration := strings.Replace(orders(token, "", schedule), `token_label = "acceptance"`, `token_label = terraform_data.token.output`, 1)
	configuration += "\nresource \"terraform_data\" \"token\" {\n  input = \"acceptance\"\n}\n"
	c := newCLI(t, configuration)
	c.mustRun("validate")
	if got := c.changes(); got["hsm_key.orders"] != "create" {
		t.Errorf("the plan is %v", got)
	}
	c.apply()
	c.noChanges()
	c.apply("-replace=terraform_data.token") // the label is unknown again, and the keys stay
	c.noChanges()
	c.state(rotator).want(t, "version=1")
}

// TestPINIsNotQuoted: the CLI quotes the line of the argument that an error is
// about. Errors about what may have a PIN in it are therefore about the whole block.
func TestPINIsNotQuoted(t *testing.T) {
	token := softhsm.New(t, "acceptance")
	c := newCLI(t, orders(token, "", schedule))
	const pin = "271828"
	module := "module-path=" + token.Module
	for name, tc := range map[string]struct{ arguments, says string }{
		"typo in the scheme":     {`uri = "pkcs12:token=acceptance?` + module + `&pin-value=` + pin + `"`, `"pkcs11:"`},
		"typo in an attribute":   {`uri = "pkcs11:token=acceptance?modul-path=/m&pin-value=` + pin + `"`, "names no PKCS#11 module"},
		"bad percent encoding":   {`uri = "pkcs11:token=%zz?` + module + `&pin-value=` + pin + `"`, "percent sign"},
		"badly encoded PIN":      {`uri = "pkcs11:token=acceptance?` + module + `&pin-value=` + pin + `%"`, "percent sign"},
		"PIN in the path":        {`uri = "pkcs11:token=acceptance;pin-value=` + pin + `?` + module + `"`, "belongs into the query"},
		"PIN in capitals":        {`uri = "pkcs11:token=acceptance?` + module + `&PIN-VALUE=` + pin + `"`, "lower case"},
		"second question mark":   {`uri = "pkcs11:token=acceptance?` + module + `?pin-value=` + pin + `"`, "an attribute of its own"},
		"comma for a separator":  {`uri = "pkcs11:token=acceptance,pin-value=` + pin + `?` + module + `"`, "an attribute of its own"},
		"unused attribute":       {`uri = "pkcs11:token=acceptance;object=o?` + module + `&pin-value=` + pin + `"`, "object"},
		"PIN instead of source":  {`uri = "pkcs11:token=acceptance?` + module + `&pin-source=` + pin + `"`, "absolute path"},
		"two ways to select":     {"slot_id = 0\n  uri = \"pkcs11:token=acceptance?" + module + `&pin-value=` + pin + `"`, "two ways"},
		"two PINs":               {"pin = \"" + pin + "\"\n  uri = \"pkcs11:token=acceptance?" + module + `&pin-value=` + pin + `"`, "twice"},
		"two PINs, one a source": {"pin = \"" + pin + "\"\n  uri = \"pkcs11:token=acceptance?" + module + `&pin-source=/etc/pin"`, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cli{t: t, dir: c.dir, env: c.env, path: c.path}
			c.configure(strings.Replace(orders(token, "", schedule), fmt.Sprintf("module_path = %q\n  token_label = %q\n", token.Module, token.Label), tc.arguments+"\n", 1))
			for _, command := range []string{"validate", "plan"} {
				out, code := c.run(command)
				if strings.Contains(out, pin) {
					t.Errorf("%s shows the PIN:\n%s", command, out)
				}
				if command == "plan" {
					expect(t, out, tc.says, `provider "hsm" {`)
					if code == 0 {
						t.Error("the plan succeeded")
					}
				}
			}
		})
	}
}
