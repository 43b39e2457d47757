/*
 * A PKCS#11 module that hands every call on to another one, and on demand does what
 * modules do on a bad day: it fails a call before or after carrying it out, kills the
 * process, waits, or locks the PIN after some wrong tries. It can also pass for the module
 * of an HSM far away, where calls take long and may overlap. REAL and CONTROL, the paths
 * of that module and of the memory by which a test steers it, are given at build time.
 *
 * All functions of PKCS #11 take words (integers no wider than long, or pointers), and
 * eight of them at the most. So one shape of function serves them all: handing eight
 * words on is harmless where fewer are looked at (System V ABI, AAPCS64).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word, word, word);

enum { functions = 68 }; /* of CK_FUNCTION_LIST in version 2.x */
enum {
	get_info = 2, get_token_info = 6, login = 18, create_object = 20, copy_object = 21, destroy_object = 22, set_attribute_value = 25,
	generate_key = 58, generate_key_pair = 59, unwrap_key = 61, derive_key = 62
};
enum { pin_incorrect = 0xA0, pin_locked = 0xA4 };
enum { pin_count_low = 0x10000, pin_final_try = 0x20000, pin_is_locked = 0x40000 };
enum { manufacturer_in_info = 2, manufacturer_in_token_info = 32 }; /* after the version, after the label */
enum { flags_at = 96 }; /* in CK_TOKEN_INFO, after label, manufacturer, model and serial */
enum { nothing, kill_before, kill_after, fail_before, fail_after }; /* actions */

/* What a test sees and sets; interposer.go has the same fields in the same order. */
struct control {
	_Atomic uint64_t counted;   /* calls so far that are counted */
	_Atomic uint64_t from;      /* act on the counted call of this number, from 1 … */
	_Atomic uint64_t times;     /* … and on those that follow: so many in all */
	_Atomic uint64_t action;    /* see above */
	_Atomic uint64_t value;     /* CKR_… that a failing call returns */
	_Atomic uint64_t acted;     /* how often the action was taken */
	_Atomic uint64_t acted_on;  /* the function it was first taken on, plus 1 */
	_Atomic uint64_t wait;      /* microseconds that each counted call takes longer */
	_Atomic uint64_t lock_at;   /* wrong PINs that lock the token; 0 is never */
	_Atomic uint64_t wrong;     /* wrong PINs since the last right one */
	_Atomic uint64_t remote;    /* 1: it is not known by the name of the module behind it, and is thread-safe */
	_Atomic uint64_t most;      /* calls that were waiting at the same time */
	_Atomic uint64_t lasting;   /* 1: of calls that make or change objects, only those on token objects count */
	_Atomic uint64_t is_counted[functions]; /* 1 for functions that are counted */
	_Atomic uint64_t calls[functions];
};

static struct { unsigned char major, minor; function function[functions]; } list, *real;
static struct control *control;

/* Objects of the session, as far as this process made any: they are gone with it. */
static _Atomic word passing[1024];
static _Atomic unsigned passed;

static int is_passing(word object) {
	unsigned i;
	for (i = 0; i < sizeof passing / sizeof *passing; i++)
		if (passing[i] == object && object != 0) return 1;
	return 0;
}

static void remember(word object) { passing[passed++ % (sizeof passing / sizeof *passing)] = object; }

struct attribute { word type; unsigned char *value; word length; };

/* says_token reports whether a template has CKA_TOKEN true. */
static int says_token(word template, word count) {
	struct attribute *a = (struct attribute *)template;
	word i;
	for (i = 0; i < count; i++)
		if (a[i].type == 1 && a[i].length == 1) return a[i].value[0] != 0;
	return 0;
}

/* lasts reports whether a call makes or changes something that outlives the session. */
static int lasts(int n, word b, word c, word d, word e, word f, word g) {
	switch (n) {
	case create_object: return says_token(b, c);
	case copy_object: return !is_passing(b);
	case destroy_object: case set_attribute_value: return !is_passing(b);
	case generate_key: return says_token(c, d);
	case generate_key_pair: return says_token(c, d) || says_token(e, f);
	case unwrap_key: return says_token(f, g);
	case derive_key: return says_token(d, e);
	default: return 1;
	}
}

/* keep_track remembers what a call made that does not last. */
static void keep_track(int n, word d, word e, word f, word g, word h) {
	switch (n) {
	case create_object: remember(*(word *)d); break;
	case copy_object: case generate_key: remember(*(word *)e); break;
	case generate_key_pair: remember(*(word *)g); remember(*(word *)h); break;
	case derive_key: remember(*(word *)f); break;
	case unwrap_key: remember(*(word *)h); break;
	}
}

static word login_with_lock(word a, word b, word c, word d, word e, word f, word g, word h) {
	uint64_t limit = control->lock_at;
	word rv;
	if (limit == 0) return real->function[login](a, b, c, d, e, f, g, h);
	if (control->wrong >= limit) return pin_locked;
	rv = real->function[login](a, b, c, d, e, f, g, h);
	if (rv == pin_incorrect) control->wrong++;
	if (rv == 0) control->wrong = 0;
	return rv;
}

static word token_info(word a, word b, word c, word d, word e, word f, word g, word h) {
	word rv = real->function[get_token_info](a, b, c, d, e, f, g, h), flags;
	uint64_t limit = control->lock_at, wrong = control->wrong;
	if (rv != 0 || limit == 0) return rv;
	memcpy(&flags, (char *)b + flags_at, sizeof flags);
	flags &= ~(word)(pin_count_low | pin_final_try | pin_is_locked);
	if (wrong > 0) flags |= pin_count_low;
	if (wrong + 1 == limit) flags |= pin_final_try;
	if (wrong >= limit) flags |= pin_is_locked;
	memcpy((char *)b + flags_at, &flags, sizeof flags);
	return rv;
}

/* unnamed puts another name in the place of a manufacturer's, and of the model's behind it: both are padded with blanks. */
static word unnamed(word rv, char *manufacturer, size_t length) {
	static const char name[] = "Interposer";
	if (rv != 0 || !control->remote) return rv;
	memset(manufacturer, ' ', length);
	memcpy(manufacturer, name, sizeof name - 1);
	return rv;
}

static word perform(int n, word a, word b, word c, word d, word e, word f, word g, word h) {
	switch (n) {
	case login: return login_with_lock(a, b, c, d, e, f, g, h);
	case get_info: return unnamed(real->function[n](a, b, c, d, e, f, g, h), (char *)a + manufacturer_in_info, 32);
	case get_token_info: return unnamed(token_info(a, b, c, d, e, f, g, h), (char *)b + manufacturer_in_token_info, 48);
	default: return real->function[n](a, b, c, d, e, f, g, h);
	}
}

static void die(void) {
	kill(getpid(), SIGKILL);
	for (;;) pause();
}

/* The module behind need not be thread-safe for this one to be. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* on_the_way is the time that calls spend between here and an HSM: in all sessions at the same time. */
static void on_the_way(void) {
	static _Atomic uint64_t travelling;
	uint64_t now = ++travelling, most = control->most;
	while (now > most && !atomic_compare_exchange_weak(&control->most, &most, now)) {}
	usleep((useconds_t)control->wait);
	travelling--;
}

static word call(int n, word a, word b, word c, word d, word e, word f, word g, word h) {
	uint64_t number, action = nothing, none = 0;
	int lasting = lasts(n, b, c, d, e, f, g);
	word rv;
	control->calls[n]++;
	if (control->is_counted[n] && (lasting || !control->lasting)) {
		number = ++control->counted;
		if (control->wait) on_the_way();
		if (control->from && number >= control->from && number < control->from + control->times) action = control->action;
	}
	if (action != nothing) {
		control->acted++;
		atomic_compare_exchange_strong(&control->acted_on, &none, (uint64_t)n + 1);
	}
	if (action == kill_before) die();
	if (action == fail_before) return (word)control->value;
	if (control->remote) pthread_mutex_lock(&one_at_a_time);
	rv = perform(n, a, b, c, d, e, f, g, h);
	if (control->remote) pthread_mutex_unlock(&one_at_a_time);
	if (rv == 0 && !lasting) keep_track(n, d, e, f, g, h);
	if (action == kill_after) die();
	if (action == fail_after) return (word)control->value;
	return rv;
}

#define F(n) static word f##n(word a, word b, word c, word d, word e, word g, word h, word i) { return call(n, a, b, c, d, e, g, h, i); }
#define TEN(t) F(t##0) F(t##1) F(t##2) F(t##3) F(t##4) F(t##5) F(t##6) F(t##7) F(t##8) F(t##9)
F(0) F(1) F(2) F(4) F(5) F(6) F(7) F(8) F(9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5)
F(60) F(61) F(62) F(63) F(64) F(65) F(66) F(67)

word C_GetFunctionList(void **out);
static word f3(word a, word b, word c, word d, word e, word g, word h, word i) {
	(void)b; (void)c; (void)d; (void)e; (void)g; (void)h; (void)i;
	return C_GetFunctionList((void **)a);
}

static void stop(const char *what) {
	fprintf(stderr, "interposer: %s: %s\n", what, dlerror());
	abort(); /* a test that runs without its interposer would prove nothing */
}

static void start(void) {
	static const function all[functions] = {
#define TENTH(t) f##t##0, f##t##1, f##t##2, f##t##3, f##t##4, f##t##5, f##t##6, f##t##7, f##t##8, f##t##9
		f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, TENTH(1), TENTH(2), TENTH(3), TENTH(4), TENTH(5),
		f60, f61, f62, f63, f64, f65, f66, f67,
	};
	word (*get)(void **);
	void *module = dlopen(REAL, RTLD_NOW | RTLD_LOCAL), *symbol, *found;
	int file = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (module == NULL || (symbol = dlsym(module, "C_GetFunctionList")) == NULL) stop(REAL);
	memcpy(&get, &symbol, sizeof get);
	if (file < 0 || get(&found) != 0) stop(CONTROL);
	control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (control == MAP_FAILED) stop(CONTROL);
	real = found;
	list.major = 2; /* what is newer is not handed on */
	list.minor = 40;
	memcpy(list.function, all, sizeof all);
}

__attribute__((visibility("default"))) word C_GetFunctionList(void **out) {
	if (real == NULL) start();
	*out = &list;
	return 0;
}
