package token

import "encoding/json"

// Seal is what is stored of a body, with the checksum that belongs to it.
func Seal(kind Kind, name string, generation int, id, write string, body json.RawMessage) ([]byte, error) {
	return envelope{Kind: kind, Name: name, Generation: generation, ID: id, Write: write}.seal(body)
}

// KindEnvironment is the kind of the marker.
const KindEnvironment = kindEnvironment
