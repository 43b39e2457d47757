// Package audit is the log of what was done in an environment, and of what was refused.
//
// Records are lines of JSON in a Merkle tree (RFC 6962). Whoever has a checkpoint, the
// tree's head signed by a key in the HSM, can tell whether any record before it was changed,
// left out, repeated or put elsewhere since. A record of an intent is durable before
// anything is done, that of the outcome afterwards: what a kill cut short shows as an intent
// without outcome.
//
// The log does not know what it is about. It holds no secret, and of personal data only who
// acted, and who owns something if that is part of a name.
package audit
