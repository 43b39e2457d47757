// Package token keeps the records of an environment on the HSM token itself, as
// private data objects (CKO_DATA, PKCS #11 base specification 2.40 section 4.5),
// so that whoever has the token has everything, and nothing else needs a backup.
//
// It knows nothing of what a record means. A record is a body with a kind and a
// name; here
// are the rules for storing it on something that has neither compare-and-swap nor
// unique names, and on which an object's value cannot be changed in place
// everywhere.
//
// # Objects
//
// Every object has CKA_APPLICATION "terraform-provider-hsm", CKA_PRIVATE and
// CKA_TOKEN true, and CKA_LABEL "KIND/NAME" or "environment". Its value is a JSON
// envelope with a checksum, see envelope. An object of ours whose value is not a
// whole envelope was being written when something died; it is passed over if there
// is a whole one of that name, and is fault.Inconsistent if there is not. A whole
// envelope with a wrong checksum was edited: fault.Inconsistent, always.
//
// # Generations
//
// A record is never changed. The next generation is written beside it, and then
// what is older is removed; a reader takes the highest whole generation. A kill
// leaves the old record, or the new one with or without the old one beside it. The
// leftovers are removed by whoever writes next.
//
// # Rivals
//
// Two processes may write the same generation. Each searches after it has written.
// Whoever sees itself alone at the highest generation, and beneath it what it read
// before it wrote, has won. Whoever sees a higher generation, a rival with a smaller
// id, or no longer what it read, removes its own record and reports fault.Conflict.
// Whoever sees only larger rivals waits for them to go, and withdraws itself if they
// stay.
//
// What was read and is still there had won, or was alone: a rival that turns up beside
// it came later, and gives up. It does not keep anybody from writing the next generation.
//
// So at most one wins: of two that stay, the one that searched last would have seen
// the other. And of two that are alive the smaller one does win. The wait is what
// makes it safe. A rule without it ("the smaller one has won") lets both win: the
// larger one writes, sees itself alone and returns, then the smaller one writes.
//
// What remains possible without compare-and-swap:
//
//   - A reader may see a record for some milliseconds that its writer then
//     withdraws. Replacing from such a record is refused (fault.Conflict), because a
//     Catalog remembers which write it has handed out. If a reader replaces it
//     before its writer has searched, the writer withdraws and reports
//     fault.Conflict, although what it wrote lives on in the reader's record.
//   - A writer that is killed after it wrote and before it searched leaves its record
//     beside that of a rival who has already won. Nobody can tell from the token
//     which of the two counts, so Load and Replace report fault.Conflict until one
//     of the objects is removed by hand. It takes two runs at the same key, without
//     Terraform's own lock on the state, and a kill, within the milliseconds between
//     write and search.
//   - A single writer that is killed at that point leaves a record that counts,
//     although nobody was told: Replace leaves the old or the new one.
package token
