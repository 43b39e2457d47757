package audit

// Encode writes a record's line.
func Encode(e Event) ([]byte, error) { return e.encode() }
