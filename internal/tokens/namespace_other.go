//go:build !linux

package tokens

import "testing"

func isPrivate() bool { return false }

// Main runs the tests of a package that makes tokens; TestMain calls it.
func Main(m *testing.M) int { return m.Run() }
