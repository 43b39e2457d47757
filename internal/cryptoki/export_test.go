package cryptoki

import "time"

// What the external tests need to put a layer of their own between the package
// and the module.
type (
	Driver    = driver
	TokenInfo = tokenInfo
	Reading   = reading
)

// OpenModule loads a real module.
func OpenModule(path string) (Driver, error) { return openModule(path) }

// Returns makes the error of a module function.
func Returns(function string, value uint) error { return &callError{function, value} }

// WithDriver makes a Token use the modules that open returns.
func (c Config) WithDriver(open func(path string) (Driver, error)) Config {
	c.open = open
	return c
}

// WithSlow sets what wait is worth a line in the log.
func (c Config) WithSlow(d time.Duration) Config {
	c.slow = d
	return c
}

// ReturnNames is the name of every return value that has a meaning.
func ReturnNames() map[uint]string {
	names := map[uint]string{}
	for value, m := range meanings {
		names[value] = m.name
	}
	return names
}

// Meaning is the fault made of a return value.
func Meaning(value uint) error { return failure("test", "", Returns("C_Test", value)) }

// MechanismNames is every mechanism that has a name.
func MechanismNames() map[uint]string { return mechanismNames }
