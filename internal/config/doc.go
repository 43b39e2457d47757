// Package config is what an operator can set: which module and token to use, the
// PIN, the environment, and who acts. Explicit values, the environment's
// variables and a PKCS#11 URI (RFC 7512) are resolved here into one Settings.
//
// It opens no module and logs in nowhere. It refuses to run commands for a PIN
// and to put a PIN into any text.
package config
