//go:build cgo

package cryptoki

/*
#cgo linux freebsd netbsd LDFLAGS: -ldl

#include <stdlib.h>
#include <string.h>

// The few types of pkcs11t.h that are needed here. Windows modules are compiled
// with structures packed to one byte (section 2.1 of the specification).
#ifdef _WIN32
#pragma pack(push, 1)
#endif
typedef struct { unsigned long type; void *value; unsigned long length; } ck_attribute;
typedef struct { unsigned long mechanism; void *parameter; unsigned long length; } ck_mechanism;
typedef struct { unsigned long hash, mgf, source; void *data; unsigned long length; } ck_oaep;
typedef struct { unsigned char major, minor; void *function[68]; } ck_function_list;
#ifdef _WIN32
#pragma pack(pop)
#endif

// Positions in CK_FUNCTION_LIST of version 2.x, which version 3 keeps.
enum { ck_login = 18, ck_get_attribute_value = 24, ck_encrypt = 30, ck_decrypt = 34, ck_sign = 43, ck_wrap_key = 60 };

#ifdef _WIN32
#include <windows.h>
#include <stdio.h>

static void *library_open(const char *path, char *why, size_t size) {
	HMODULE handle = LoadLibraryA(path);
	if (handle == NULL) snprintf(why, size, "Windows error %lu", GetLastError());
	return (void *)handle;
}
static void *library_symbol(void *handle, const char *name) { return (void *)GetProcAddress((HMODULE)handle, name); }
static void library_close(void *handle) { FreeLibrary((HMODULE)handle); }
#else
#include <dlfcn.h>

static void *library_open(const char *path, char *why, size_t size) {
	void *handle = dlopen(path, RTLD_LAZY);
	if (handle == NULL) {
		const char *message = dlerror();
		strncpy(why, message ? message : "unknown reason", size - 1);
	}
	return handle;
}
static void *library_symbol(void *handle, const char *name) { return dlsym(handle, name); }
static void library_close(void *handle) { dlclose(handle); }
#endif

// struct ctx of miekg/pkcs11 v1.1.2 on all platforms.
typedef struct { void *handle; ck_function_list *list; } miekg_ctx;

static ck_function_list *library_list(void *ctx) { return ((miekg_ctx *)ctx)->list; }
static int library_major(ck_function_list *list) { return list ? list->major : 0; }

static unsigned long library_login(ck_function_list *list, unsigned long session, unsigned long user, unsigned char *pin, unsigned long length) {
	unsigned long (*f)(unsigned long, unsigned long, unsigned char *, unsigned long);
	memcpy(&f, &list->function[ck_login], sizeof f);
	return f(session, user, pin, length);
}

// library_read reads n attributes into one buffer in which element i has room for
// rooms[i] bytes, at a multiple of 8. lengths[i] is what the module made of it.
static unsigned long library_read(ck_function_list *list, unsigned long session, unsigned long object, unsigned long n,
		unsigned long *types, unsigned long *rooms, unsigned char *buffer, unsigned long *lengths) {
	unsigned long (*f)(unsigned long, unsigned long, ck_attribute *, unsigned long);
	ck_attribute attributes[64];
	unsigned long i, rv;
	memcpy(&f, &list->function[ck_get_attribute_value], sizeof f);
	for (i = 0; i < n; i++) {
		attributes[i].type = types[i];
		attributes[i].value = rooms[i] ? buffer : NULL;
		attributes[i].length = rooms[i];
		buffer += (rooms[i] + 7) / 8 * 8;
	}
	rv = f(session, object, attributes, n);
	for (i = 0; i < n; i++) lengths[i] = attributes[i].length;
	return rv;
}

// library_single is C_Encrypt, C_Decrypt or C_Sign.
static unsigned long library_single(ck_function_list *list, int function, unsigned long session,
		unsigned char *in, unsigned long in_length, unsigned char *out, unsigned long *out_length) {
	unsigned long (*f)(unsigned long, unsigned char *, unsigned long, unsigned char *, unsigned long *);
	memcpy(&f, &list->function[function], sizeof f);
	return f(session, in, in_length, out, out_length);
}

static unsigned long library_wrap(ck_function_list *list, unsigned long session, unsigned long mechanism,
		unsigned char *raw, unsigned long raw_length, int oaep, unsigned long hash, unsigned long mgf,
		unsigned long wrapping, unsigned long key, unsigned char *out, unsigned long *out_length) {
	unsigned long (*f)(unsigned long, ck_mechanism *, unsigned long, unsigned long, unsigned char *, unsigned long *);
	ck_oaep o = { hash, mgf, 1, NULL, 0 };
	ck_mechanism m = { mechanism, NULL, 0 };
	memcpy(&f, &list->function[ck_wrap_key], sizeof f);
	if (oaep) { m.parameter = &o; m.length = sizeof o; }
	else if (raw_length) { m.parameter = raw; m.length = raw_length; }
	return f(session, &m, wrapping, key, out, out_length);
}
*/
import "C"

import (
	"os"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// library is a loaded module, called without miekg/pkcs11 where that library
// copies the PIN into memory it does not clear, or asks for a size first (twice
// the calls, and wrong answers on NSS for GCM and key wrapping).
type library struct{ list *C.ck_function_list }

// newLibrary takes the function list out of miekg's context. Asking the module for
// one of our own will not do: p11-kit makes a new instance, uninitialised and with
// sessions of its own, each time. So this depends on the layout of a private
// struct, of a version that go.mod pins; ok is false if it does not fit.
func newLibrary(ctx *pkcs11.Ctx) (l *library, ok bool) {
	l = &library{list: C.library_list(*(*unsafe.Pointer)(unsafe.Pointer(ctx)))}
	major := C.library_major(l.list)
	return l, major == 2 || major == 3
}

// checkModule finds out what is wrong with a file that should be a module, which
// is fault.Invalid: miekg says only that something is, and crashes on some of it.
func checkModule(path string) error {
	invalid := func(problem, hint string) error {
		return &fault.Error{Kind: fault.Invalid, Op: "load PKCS#11 module", Subject: "module " + path, Problem: problem, Hint: hint}
	}
	if err := readable(path, invalid); err != nil {
		return err
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why [512]C.char
	handle := C.library_open(name, &why[0], C.size_t(len(why)))
	if handle == nil {
		return invalid("The file cannot be loaded as a library: "+C.GoString(&why[0])+".", loadHint(C.GoString(&why[0])))
	}
	symbol := C.CString("C_GetFunctionList")
	defer C.free(unsafe.Pointer(symbol))
	defer C.library_close(handle)
	if C.library_symbol(handle, symbol) == nil {
		return invalid("The file is a library but no PKCS#11 module: it has no C_GetFunctionList.", hintModule)
	}
	return nil
}

const hintModule = "Give the path of the PKCS#11 library of the HSM, such as /usr/lib/softhsm/libsofthsm2.so."

func readable(path string, invalid func(problem, hint string) error) error {
	if path == "" {
		return invalid("No module was given.", hintModule)
	}
	file, err := os.Open(path)
	switch {
	case os.IsNotExist(err):
		return invalid("There is no such file.", "Install the client software of the HSM, or correct the path. "+hintModule)
	case os.IsPermission(err):
		return invalid("This user may not read the file.", "Give the user that runs Terraform read access to it, and to the directories above.")
	case err != nil:
		return invalid("The file cannot be opened: "+err.Error()+".", hintModule)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return invalid("This is not a file.", hintModule)
	}
	return nil
}

func loadHint(why string) string {
	switch {
	case strings.Contains(why, "wrong ELF class"), strings.Contains(why, "incompatible architecture"), strings.Contains(why, "error 193"):
		return "The library is for another kind of processor than this program; install the right one."
	case strings.Contains(why, "cannot open shared object"), strings.Contains(why, "Library not loaded"), strings.Contains(why, "error 126"):
		return "A library that the module needs is missing; install it, or name its directory in LD_LIBRARY_PATH."
	default:
		return hintModule
	}
}

// cString is a text as C has it, outside of Go's memory.
func cString(text string) (pointer unsafe.Pointer, free func()) {
	made := unsafe.Pointer(C.CString(text))
	return made, func() { C.free(made) }
}

// login is C_Login with the bytes as they are, without a copy.
func (l *library) login(session uint, pin []byte) error {
	const user = 1     // CKU_USER
	var first *C.uchar // NULL leaves it to the PIN pad
	if pin != nil {
		first = bytePointer(pin)
	}
	return called("C_Login", C.library_login(l.list, C.ulong(session), user, first, C.ulong(len(pin))))
}

// maxBatch is the size of the array in library_read.
const maxBatch = 64

// scratch are buffers for what a module answers, of which the values are copied: objects
// are remembered, and a buffer has room for many times their size.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// read is C_GetAttributeValue with buffers of the given sizes. A room that the
// module left as it was counts as not read, as it would after giving up early.
func (l *library) read(session, object uint, types []uint, rooms []int) ([]reading, error) {
	var cTypes, cRooms, lengths [maxBatch]C.ulong
	n := len(types)
	total := 0
	for i, typ := range types {
		cTypes[i], cRooms[i] = C.ulong(typ), C.ulong(rooms[i])
		total += aligned(rooms[i])
	}
	lent, _ := scratch.Get().(*[]byte) // there is nothing else in it
	defer scratch.Put(lent)
	*lent = slices.Grow(*lent, total+1)
	buffer := (*lent)[:total+1]
	rv := C.library_read(l.list, C.ulong(session), C.ulong(object), C.ulong(n), &cTypes[0], &cRooms[0], bytePointer(buffer), &lengths[0])
	out := make([]reading, n)
	size := 0
	for i, room := range rooms {
		length := uint(lengths[i])
		out[i].known = !unavailable(length) && length <= uint(room) && (rv == 0 || length != uint(room))
		if out[i].known {
			size += int(length)
		}
	}
	values := make([]byte, 0, size)
	offset := 0
	for i, room := range rooms {
		if out[i].known {
			begin := len(values)
			values = append(values, buffer[offset:offset+int(lengths[i])]...)
			out[i].value = values[begin:len(values):len(values)]
		}
		offset += aligned(room)
	}
	return out, called("C_GetAttributeValue", rv)
}

// aligned is the room that library_read takes for so many bytes.
func aligned(room int) int { return (room + 7) / 8 * 8 }

// length asks how long one attribute is.
func (l *library) length(session, object, typ uint) (int, error) {
	cType, room, length := C.ulong(typ), C.ulong(0), C.ulong(0)
	var none C.uchar
	rv := C.library_read(l.list, C.ulong(session), C.ulong(object), 1, &cType, &room, &none, &length)
	if err := called("C_GetAttributeValue", rv); err != nil {
		return 0, err
	}
	if unavailable(uint(length)) {
		return 0, &callError{"C_GetAttributeValue", CKR_ATTRIBUTE_TYPE_INVALID}
	}
	return int(length), nil
}

// The functions of library.single.
const (
	functionEncrypt = C.ck_encrypt
	functionDecrypt = C.ck_decrypt
	functionSign    = C.ck_sign
)

// single runs one of the functions above, for which an operation must have been
// initialised, with room for more than the usual result.
func (l *library) single(name string, function C.int, session uint, in []byte) ([]byte, error) {
	return withRoom(name, len(in)+2048, func(out []byte, length *C.ulong) C.ulong {
		return C.library_single(l.list, function, C.ulong(session), bytePointer(in), C.ulong(len(in)), bytePointer(out), length)
	})
}

// wrap is C_WrapKey; Params may be nil, Raw or OAEP.
func (l *library) wrap(session uint, m Mechanism, wrapping, key uint) ([]byte, error) {
	raw, _ := m.Params.(Raw)
	oaep, isOAEP := m.Params.(OAEP)
	var flag C.int
	if isOAEP {
		flag = 1
	}
	return withRoom("C_WrapKey", 16384, func(out []byte, length *C.ulong) C.ulong {
		return C.library_wrap(l.list, C.ulong(session), C.ulong(m.Code), bytePointer(raw), C.ulong(len(raw)), flag,
			C.ulong(oaep.Hash), C.ulong(oaep.MGF), C.ulong(wrapping), C.ulong(key), bytePointer(out), length)
	})
}

// withRoom calls f with a buffer, once more with a larger one if the module wants
// that (it keeps the operation open then, section 5.2).
func withRoom(name string, room int, f func(out []byte, length *C.ulong) C.ulong) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		out := make([]byte, room)
		length := C.ulong(room)
		rv := f(out, &length)
		if rv == CKR_BUFFER_TOO_SMALL && attempt == 0 && int(length) > room && int(length) <= 1<<24 {
			room = int(length)
			continue
		}
		if err := called(name, rv); err != nil {
			clear(out)
			return nil, err
		}
		if int(length) > room {
			return nil, &callError{name, CKR_BUFFER_TOO_SMALL}
		}
		return out[:length:length], nil
	}
}

// bytePointer is the address of the first byte, of some byte if there is none:
// NULL would ask for the length.
func bytePointer(b []byte) *C.uchar {
	if len(b) == 0 {
		b = []byte{0}
	}
	return (*C.uchar)(unsafe.Pointer(&b[0]))
}

func called(function string, rv C.ulong) error {
	if rv == 0 {
		return nil
	}
	return &callError{function, uint(rv)}
}
