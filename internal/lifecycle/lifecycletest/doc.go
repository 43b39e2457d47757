// Package lifecycletest is a token and its catalog in memory, for tests of what a
// real token cannot do on demand: be killed before or after its n-th write and stay
// dead, fail with a chosen fault, lie about where its keys come from, have its
// objects and records changed behind everybody's back.
//
// It keeps to what ports.go says, and no more than that: it has three algorithms, and
// nothing is ever signed with it. Whatever a real token can show is tested with a
// real one.
package lifecycletest
