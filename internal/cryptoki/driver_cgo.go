//go:build cgo

package cryptoki

import (
	"errors"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// miekgDriver is a driver that calls a module through miekg/pkcs11, and through
// library where that is better.
type miekgDriver struct {
	ctx *pkcs11.Ctx
	lib *library
}

// openModule loads a module without initialising it.
func openModule(path string) (driver, error) {
	if err := checkModule(path); err != nil {
		return nil, err
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "load PKCS#11 module", Subject: "module " + path, Problem: "The file is no PKCS#11 module.", Hint: hintModule}
	}
	lib, ok := newLibrary(ctx)
	if !ok {
		ctx.Destroy()
		return nil, &fault.Error{Kind: fault.Invalid, Op: "load PKCS#11 module", Subject: "module " + path, Problem: "The module gives out no functions of a version that is known here.", Hint: hintVendor}
	}
	return &miekgDriver{ctx: ctx, lib: lib}, nil
}

func (d *miekgDriver) Initialize(parameters string) error {
	if parameters == "" {
		return translate("C_Initialize", d.ctx.Initialize())
	}
	text, free := cString(parameters)
	defer free() // the module has made its own of it
	return translate("C_Initialize", d.ctx.Initialize(pkcs11.InitializeWithReserved(text)))
}

func (d *miekgDriver) Finalize() error { return translate("C_Finalize", d.ctx.Finalize()) }

// Unload leaves the library mapped: openCryptoki crashes in about one of three
// C_Initialize after it was unmapped and mapped again, and a module may have threads
// that outlive C_Finalize. The next openModule finds the same mapping.
func (d *miekgDriver) Unload() {}

func (d *miekgDriver) LibraryInfo() (libraryInfo, error) {
	i, err := d.ctx.GetInfo()
	return libraryInfo{
		Manufacturer: trim(i.ManufacturerID), Description: trim(i.LibraryDescription),
		Major: i.LibraryVersion.Major, Minor: i.LibraryVersion.Minor,
	}, translate("C_GetInfo", err)
}

func (d *miekgDriver) Slots() ([]uint, error) {
	slots, err := d.ctx.GetSlotList(true)
	return slots, translate("C_GetSlotList", err)
}

func (d *miekgDriver) TokenInfo(slot uint) (tokenInfo, error) {
	i, err := d.ctx.GetTokenInfo(slot)
	return tokenInfo{
		Label: trim(i.Label), Manufacturer: trim(i.ManufacturerID), Model: trim(i.Model), Serial: trim(i.SerialNumber),
		Flags: i.Flags, MaxSessions: i.MaxSessionCount, Sessions: i.SessionCount, MaxReadWriteSessions: i.MaxRwSessionCount,
		FreePublicMemory: i.FreePublicMemory, FreePrivateMemory: i.FreePrivateMemory,
		Hardware: [2]byte{i.HardwareVersion.Major, i.HardwareVersion.Minor},
		Firmware: [2]byte{i.FirmwareVersion.Major, i.FirmwareVersion.Minor},
	}, translate("C_GetTokenInfo", err)
}

// trim removes padding: blanks by the standard, zeros on some tokens.
func trim(s string) string { return strings.TrimRight(s, " \x00") }

func (d *miekgDriver) Mechanisms(slot uint) ([]uint, error) {
	list, err := d.ctx.GetMechanismList(slot)
	if err != nil {
		return nil, translate("C_GetMechanismList", err)
	}
	codes := make([]uint, 0, len(list))
	for _, m := range list {
		codes = append(codes, m.Mechanism)
	}
	return codes, nil
}

func (d *miekgDriver) MechanismInfo(slot, mechanism uint) (MechanismInfo, error) {
	i, err := d.ctx.GetMechanismInfo(slot, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)})
	return MechanismInfo{MinKeySize: i.MinKeySize, MaxKeySize: i.MaxKeySize, Flags: i.Flags}, translate("C_GetMechanismInfo", err)
}

func (d *miekgDriver) OpenSession(slot uint, readWrite bool) (uint, error) {
	flags := uint(pkcs11.CKF_SERIAL_SESSION)
	if readWrite {
		flags |= pkcs11.CKF_RW_SESSION
	}
	session, err := d.ctx.OpenSession(slot, flags)
	return uint(session), translate("C_OpenSession", err)
}

func (d *miekgDriver) CloseSession(session uint) error {
	return translate("C_CloseSession", d.ctx.CloseSession(pkcs11.SessionHandle(session)))
}

func (d *miekgDriver) SessionState(session uint) (uint, error) {
	i, err := d.ctx.GetSessionInfo(pkcs11.SessionHandle(session))
	return i.State, translate("C_GetSessionInfo", err)
}

func (d *miekgDriver) Login(session uint, pin []byte) error { return d.lib.login(session, pin) }

func (d *miekgDriver) Sign(session uint, m Mechanism, key uint, data []byte) ([]byte, error) {
	mechanism, free := toMiekg(m)
	defer free()
	if err := d.ctx.SignInit(pkcs11.SessionHandle(session), mechanism, pkcs11.ObjectHandle(key)); err != nil {
		return nil, translate("C_SignInit", err)
	}
	return d.lib.single("C_Sign", functionSign, session, data)
}

func (d *miekgDriver) Verify(session uint, m Mechanism, key uint, data, signature []byte) error {
	mechanism, free := toMiekg(m)
	defer free()
	if err := d.ctx.VerifyInit(pkcs11.SessionHandle(session), mechanism, pkcs11.ObjectHandle(key)); err != nil {
		return translate("C_VerifyInit", err)
	}
	return translate("C_Verify", d.ctx.Verify(pkcs11.SessionHandle(session), data, signature))
}

func (d *miekgDriver) Encrypt(session uint, m Mechanism, key uint, plain []byte) ([]byte, error) {
	mechanism, free := toMiekg(m)
	defer free() // only now: the token reads, and may write, the IV until the end
	if err := d.ctx.EncryptInit(pkcs11.SessionHandle(session), mechanism, pkcs11.ObjectHandle(key)); err != nil {
		return nil, translate("C_EncryptInit", err)
	}
	return d.lib.single("C_Encrypt", functionEncrypt, session, plain)
}

func (d *miekgDriver) Decrypt(session uint, m Mechanism, key uint, cipher []byte) ([]byte, error) {
	mechanism, free := toMiekg(m)
	defer free()
	if err := d.ctx.DecryptInit(pkcs11.SessionHandle(session), mechanism, pkcs11.ObjectHandle(key)); err != nil {
		return nil, translate("C_DecryptInit", err)
	}
	return d.lib.single("C_Decrypt", functionDecrypt, session, cipher)
}

// toMiekg converts a mechanism. free releases its memory and, where the token
// chose an IV of its own, puts that into the caller's slice.
func toMiekg(m Mechanism) (list []*pkcs11.Mechanism, free func()) {
	free = func() {}
	var params any
	switch p := m.Params.(type) {
	case GCM:
		gcm := pkcs11.NewGCMParams(p.IV, p.AAD, p.TagBits)
		params = gcm
		free = func() {
			if len(p.IV) > 0 {
				copy(p.IV, gcm.IV())
			}
			gcm.Free()
		}
	case OAEP:
		params = pkcs11.NewOAEPParams(p.Hash, p.MGF, pkcs11.CKZ_DATA_SPECIFIED, nil)
	case PSS:
		params = pkcs11.NewPSSParams(p.Hash, p.MGF, p.SaltLen)
	case ECDH:
		params = pkcs11.NewECDH1DeriveParams(p.KDF, nil, p.Public)
	case Raw:
		params = []byte(p)
	}
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(m.Code, params)}, free
}

// translate turns miekg's error into ours.
func translate(function string, err error) error {
	if err == nil {
		return nil
	}
	if code, ok := errors.AsType[pkcs11.Error](err); ok {
		return &callError{function, uint(code)}
	}
	return err
}
