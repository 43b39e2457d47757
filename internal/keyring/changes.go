package keyring

import (
	"strconv"

	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// Changes tells in words what a spec asks otherwise than the one before.
func (s Spec) Changes(was Spec) string {
	var c history.Changes
	c.Flag("enabled", was.Enabled, s.Enabled)
	c.Flag("deletion_protection", was.DeletionProtection, s.DeletionProtection)
	c.Value("on_destroy", string(was.OnDestroy), string(s.OnDestroy))
	c.Flag("extractable", was.Extractable, s.Extractable)
	c.List("operations", was.Operations.Names(), s.Operations.Names())
	c.List("allowed_mechanisms", texts(was.AllowedMechanisms), texts(s.AllowedMechanisms))
	c.Value("algorithm", string(was.Algorithm), string(s.Algorithm))
	c.Value("import", was.Import.text(), s.Import.text())
	c.Names("tags", was.Tags, s.Tags)
	return c.String()
}

func texts(mechanisms []Mechanism) (list []string) {
	for _, m := range mechanisms {
		list = append(list, string(m))
	}
	return list
}

func (i *Import) text() string {
	if i == nil {
		return ""
	}
	return strconv.FormatInt(i.Version, 10) + " by " + i.WrappingKey + " with " + string(i.Mechanism)
}

// Changes tells in words what a rotation is asked otherwise than before; was is nil if nothing
// was.
func (d Declaration) Changes(was *Rotation) string {
	if was == nil {
		return ""
	}
	var c history.Changes
	before := was.Declared
	c.Value("rotate_every", before.Every, d.Every)
	c.Value("overlap", before.Overlap, d.Overlap)
	c.Value("activation_delay", before.ActivationDelay, d.ActivationDelay)
	c.Value("retire_action", string(before.RetireAction), string(d.RetireAction))
	c.Value("pinned_version", pinned(before.Pinned), pinned(d.Pinned))
	c.Names("rotate_when_changed", before.RotateWhenChanged, d.RotateWhenChanged)
	return c.String()
}

func pinned(version int) string {
	if version == 0 {
		return ""
	}
	return strconv.Itoa(version)
}
