package config

// Input is what was written in the provider block; empty string / nil means not given.
type Input struct {
	URI, ModulePath, TokenLabel, TokenSerial string
	SlotID                                   *int64
	PIN                                      Secret
	Environment, Actor                       string
	MaxSessions                              *int64
}

// Settings is the resolved result.
type Settings struct {
	ModulePath, TokenLabel, TokenSerial, TokenManufacturer, TokenModel string
	SlotID                                                             *uint
	PIN                                                                func() (Secret, error)
	Environment, Actor                                                 string
	MaxSessions                                                        int
}

// Resolve checks and completes.
func Resolve(in Input, getenv func(string) string, user func() string) (Settings, error) {
	panic("not yet")
}
