package notation

// What the published vectors are about.
var (
	Base58      = base58
	Bech32      = bech32
	Checksummed = checksummed
)
