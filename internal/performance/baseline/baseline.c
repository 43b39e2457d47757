/*
 * What a PKCS#11 module does when nothing stands between it and a program in C: the
 * baseline that the provider is measured against. It prints how many seconds a loop took,
 * or how many objects were listed, or signatures made, in a second, or how much memory it took. Loading the module, the login and
 * the module's own first look at its store are not part of the time.
 *
 *   baseline MODULE PIN generate COUNT THREADS    pairs on P-256, as token objects
 *   baseline MODULE PIN destroy                   every private, secret and public key
 *   baseline MODULE PIN list                      every object, with its attributes
 *   baseline MODULE PIN memory                    the same, and the largest resident size in MiB
 *   baseline MODULE PIN sign LABEL MECHANISM LENGTH THREADS MILLISECONDS
 *
 * The token is the one in the first slot. As in the interposer, every function takes
 * words, and eight of them at the most.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word, word, word);
typedef struct { word type; void *value; word length; } attribute;
typedef struct { word code; void *parameter; word length; } mechanism;

/* Places in CK_FUNCTION_LIST. */
enum {
	initialize = 0, finalize = 1, get_slot_list = 4, open_session = 12, login = 18, destroy_object = 22,
	get_attribute_value = 24, find_init = 26, find = 27, find_final = 28, sign_init = 42, sign = 43, generate_key_pair = 59
};
enum { /* CKA_… */
	class = 0, token = 1, private = 2, label = 3, application = 0x10, value = 0x11, key_type = 0x100, id = 0x102, sensitive = 0x103,
	may_encrypt = 0x104, may_decrypt = 0x105, may_wrap = 0x106, may_unwrap = 0x107, may_sign = 0x108, may_verify = 0x10A,
	may_derive = 0x10C, extractable = 0x162, local = 0x163, never_extractable = 0x164, always_sensitive = 0x165,
	key_gen_mechanism = 0x166, modifiable = 0x170, ec_params = 0x180, ec_point = 0x181, always_authenticate = 0x202
};
enum { data_object = 0, public_key = 2, private_key = 3, secret_key = 4 }; /* CKO_… */
enum { ec_key_pair_gen = 0x1040 }; /* CKM_EC_KEY_PAIR_GEN */

static struct { unsigned char major, minor; function function[68]; } *module;
static word slot;

static word check(const char *what, word rv) {
	if (rv != 0) {
		fprintf(stderr, "baseline: %s: 0x%lx\n", what, rv);
		exit(1);
	}
	return rv;
}

#define EIGHT(n, a, b, c, d, e, f, g, h, ...) \
	module->function[n]((word)(a), (word)(b), (word)(c), (word)(d), (word)(e), (word)(f), (word)(g), (word)(h))
#define ASK(n, ...) EIGHT(n, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0)
#define CALL(n, ...) check(#n, ASK(n, __VA_ARGS__))

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static word session(void) {
	word s;
	CALL(open_session, slot, 6, 0, 0, &s); /* CKF_SERIAL_SESSION | CKF_RW_SESSION */
	return s;
}

static word start(const char *path, char *pin) {
	static struct { void *mutexes[4]; word flags; void *reserved; } arguments = {{0}, 2, 0}; /* CKF_OS_LOCKING_OK */
	word (*get)(void *), slots[16], count = 16, s;
	void *library = dlopen(path, RTLD_NOW), *symbol;
	if (library == NULL || (symbol = dlsym(library, "C_GetFunctionList")) == NULL) {
		fprintf(stderr, "baseline: %s\n", dlerror());
		exit(1);
	}
	memcpy(&get, &symbol, sizeof get);
	check("C_GetFunctionList", get(&module));
	CALL(initialize, &arguments);
	CALL(get_slot_list, 1, slots, &count);
	slot = slots[0];
	s = session();
	CALL(login, s, 1, pin, strlen(pin));
	return s;
}

/* search returns the handles of all objects that match, and how many there are. */
static word *search(word s, attribute *template, word count, word *found) {
	word room = 1024, n, *handles = malloc(room * sizeof *handles);
	*found = 0;
	CALL(find_init, s, template, count);
	do {
		if (room - *found < 512) handles = realloc(handles, (room *= 2) * sizeof *handles);
		CALL(find, s, handles + *found, 512, &n);
		*found += n;
	} while (n > 0);
	CALL(find_final, s);
	return handles;
}

/* warm makes the module read its store, as any first search does. */
static void warm(word s) {
	attribute nothing = {label, "no object has this label", 24};
	word found;
	free(search(s, &nothing, 1, &found));
}

/* together runs the same on several threads, and returns the seconds. */
static double together(int threads, void *(*run)(void *)) {
	pthread_t all[64];
	double begin = now();
	int i;
	for (i = 0; i < threads; i++)
		if (pthread_create(&all[i], NULL, run, (void *)(word)i) != 0) exit(1);
	for (i = 0; i < threads; i++) pthread_join(all[i], NULL);
	return now() - begin;
}

static int generations, generators;

static void *generate(void *which) {
	static unsigned char yes = 1, no = 0, p256[] = {6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7};
	unsigned char number[16] = {0};
	attribute public[] = {
		{token, &yes, 1}, {private, &no, 1}, {id, number, sizeof number}, {label, "bare", 4}, {may_verify, &yes, 1}, {ec_params, p256, sizeof p256}
	};
	attribute secret[] = {
		{token, &yes, 1}, {private, &yes, 1}, {id, number, sizeof number}, {label, "bare", 4}, {may_sign, &yes, 1}, {sensitive, &yes, 1},
		{extractable, &no, 1}
	};
	mechanism m = {ec_key_pair_gen, NULL, 0};
	word s = session(), a, b;
	int i;
	for (i = (int)(word)which; i < generations; i += generators) {
		memcpy(number, &i, sizeof i);
		CALL(generate_key_pair, s, &m, public, 6, secret, 7, &a, &b);
	}
	return NULL;
}

static void destroy(word s) {
	static const word classes[] = {private_key, secret_key, public_key};
	word *handles[3], found[3], i, j;
	double begin;
	for (i = 0; i < 3; i++) {
		word c = classes[i];
		attribute template = {class, &c, sizeof c};
		handles[i] = search(s, &template, 1, &found[i]);
	}
	begin = now();
	for (i = 0; i < 3; i++)
		for (j = 0; j < found[i]; j++) CALL(destroy_object, s, handles[i][j]);
	printf("%f\n", now() - begin);
}

/* What the provider reads of an object, as far as SoftHSM knows it. */
static const word of_data[] = {token, private, label, modifiable, application, value};
static const word of_public[] = {
	token, private, label, modifiable, id, may_derive, local, key_gen_mechanism, may_verify, may_encrypt, may_wrap, ec_point, ec_params
};
static const word of_private[] = {
	token, private, label, modifiable, id, may_derive, local, key_gen_mechanism, sensitive, extractable, always_sensitive,
	never_extractable, may_sign, may_decrypt, may_unwrap, always_authenticate, ec_params
};

static void read_attributes(word s, word object, const word *types, word count) {
	static unsigned char buffers[24][2048];
	attribute template[24];
	word i;
	for (i = 0; i < count; i++) template[i] = (attribute){types[i], buffers[i], sizeof buffers[i]};
	CALL(get_attribute_value, s, object, template, count);
}

static double list(word s) {
	double begin = now();
	word found, i, *handles = search(s, NULL, 0, &found);
	for (i = 0; i < found; i++) {
		word c, t;
		attribute kind[] = {{class, &c, sizeof c}, {key_type, &t, sizeof t}};
		ASK(get_attribute_value, s, handles[i], kind, 2); /* fails on data, which has no type */
		switch (c) {
		case data_object: read_attributes(s, handles[i], of_data, sizeof of_data / sizeof *of_data); break;
		case public_key: read_attributes(s, handles[i], of_public, sizeof of_public / sizeof *of_public); break;
		case private_key: read_attributes(s, handles[i], of_private, sizeof of_private / sizeof *of_private); break;
		}
	}
	return (double)found / (now() - begin);
}

static double memory(word s) {
	struct rusage usage;
	list(s);
	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss / 1024;
}

static word key, code, length;
static double until;
static _Atomic long signatures;

static void *sign_for_a_while(void *unused) {
	unsigned char message[256] = {1}, signature[1024];
	mechanism m = {code, NULL, 0};
	word s = session(), n;
	(void)unused;
	while (now() < until) {
		n = sizeof signature;
		CALL(sign_init, s, &m, key);
		CALL(sign, s, message, length, signature, &n);
		signatures++;
	}
	return NULL;
}

static void use(word s, char *name, int threads, double seconds) {
	word c, i, found = 0, *handles;
	word classes[] = {private_key, secret_key};
	for (i = 0; i < 2 && found == 0; i++) {
		attribute template[] = {{class, &c, sizeof c}, {label, name, strlen(name)}};
		c = classes[i];
		handles = search(s, template, 2, &found);
		key = handles[0];
	}
	if (found != 1) {
		fprintf(stderr, "baseline: %lu keys %s\n", found, name);
		exit(1);
	}
	until = now() + seconds;
	seconds = together(threads, sign_for_a_while);
	printf("%f\n", (double)signatures / seconds);
}

int main(int count, char **arguments) {
	word s;
	if (count < 4) return 2;
	s = start(arguments[1], arguments[2]);
	warm(s);
	if (count == 6 && strcmp(arguments[3], "generate") == 0) {
		generations = atoi(arguments[4]);
		generators = atoi(arguments[5]);
		printf("%f\n", together(generators, generate));
	} else if (strcmp(arguments[3], "destroy") == 0) {
		destroy(s);
	} else if (strcmp(arguments[3], "list") == 0) {
		printf("%f\n", list(s));
	} else if (strcmp(arguments[3], "memory") == 0) {
		printf("%f\n", memory(s));
	} else if (count == 9 && strcmp(arguments[3], "sign") == 0) {
		code = strtoul(arguments[5], NULL, 0);
		length = strtoul(arguments[6], NULL, 0);
		use(s, arguments[4], atoi(arguments[7]), atof(arguments[8]) / 1000);
	} else {
		return 2;
	}
	CALL(finalize, 0);
	return 0;
}
