// Package mirror hands on what is in the audit log: to a syslog receiver (RFC 5424), or into a
// file that a log shipper follows.
//
// Nobody waits for a mirror. It has no queue of its own: it reads the log, and remembers in
// the log's directory how far it came. What one run does not deliver the next one does, and
// a record may be delivered twice when a run is killed. The log is what counts; a mirror that
// cannot be reached is worth a warning, and never keeps a change from being made.
package mirror
