// Package acceptance holds the tests that drive the real CLI against a real token,
// with a clock that the test moves.
//
// The provider runs inside the test's process, attached to by the CLI, so that
// time can pass between two commands, or between a plan and its apply. What one
// CLI command opened is closed after it, as if its provider process had ended.
package acceptance
