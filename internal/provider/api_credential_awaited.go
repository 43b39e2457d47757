package provider

import "sync"

// awaited are the credentials that this run is going to issue, or to change so that other
// versions are accepted, and has not yet. What is refused of them now may be there in a
// moment: Terraform opens ephemeral resources at plan already, as soon as it knows their
// arguments.
type awaited struct {
	mu    sync.Mutex
	names map[string]struct{}
}

// announce is called when the change of a credential is planned. Terraform plans it once
// more in the process that applies it, so both processes know.
func (a *awaited) announce(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.names == nil {
		a.names = map[string]struct{}{}
	}
	a.names[name] = struct{}{}
}

// arrived is called when what was announced is done.
func (a *awaited) arrived(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.names, name)
}

func (a *awaited) has(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.names[name]
	return ok
}
