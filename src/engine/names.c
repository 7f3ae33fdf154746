/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/names.h"

#include <ctype.h>
#include <sys/random.h>

#include "base/timeutil.h"

static const char *const adjectives[] = {
	"amber",     "ample",  "ancient", "azure",    "balanced", "bold",    "brave",    "breezy",
	"bright",    "brisk",  "calm",    "candid",   "careful",  "cedar",   "cheerful", "clear",
	"clever",    "cobalt", "compact", "copper",   "cordial",  "crisp",   "curious",  "daring",
	"deft",      "eager",  "early",   "earnest",  "elegant",  "fair",    "fearless", "fleet",
	"fluent",    "frosty", "gentle",  "gilded",   "glad",     "golden",  "graceful", "hardy",
	"hearty",    "honest", "humble",  "ivory",    "jade",     "jolly",   "keen",     "kind",
	"lacquered", "lively", "loyal",   "lucid",    "lunar",    "maple",   "mellow",   "merry",
	"mindful",   "modest", "neat",    "nimble",   "noble",    "patient", "pearly",   "placid",
	"polite",    "prompt", "proud",   "quick",    "quiet",    "rapid",   "ready",    "rosy",
	"rustic",    "sage",   "serene",  "sharp",    "silent",   "silver",  "sincere",  "sleek",
	"smooth",    "snug",   "solid",   "spry",     "steady",   "still",   "stoic",    "subtle",
	"sunny",     "swift",  "tidy",    "tranquil", "trusty",   "upbeat",  "velvet",   "vivid",
	"warm",      "wise",   "witty",   "zesty",
};

static const char *const surnames[] = {
	"abel",     "ampere",     "archimedes", "aryabhata", "avogadro", "babbage",
	"banach",   "bernoulli",  "bohr",       "boltzmann", "boole",    "bose",
	"brahe",    "cantor",     "carson",     "cauchy",    "celsius",  "chandra",
	"church",   "copernicus", "curie",      "dalton",    "darwin",   "dijkstra",
	"dirac",    "einstein",   "erdos",      "euclid",    "euler",    "faraday",
	"fermat",   "fermi",      "feynman",    "fibonacci", "fourier",  "franklin",
	"galileo",  "galois",     "gauss",      "germain",   "godel",    "hamilton",
	"hawking",  "heisenberg", "hertz",      "hilbert",   "hodgkin",  "hokusai",
	"hopper",   "hubble",     "huygens",    "hypatia",   "jacobi",   "joule",
	"kepler",   "kernighan",  "khayyam",    "knuth",     "koch",     "kovalevskaya",
	"lagrange", "lamarr",     "lamport",    "laplace",   "leibniz",  "linnaeus",
	"liskov",   "lovelace",   "maxwell",    "meitner",   "mendel",   "mirzakhani",
	"naur",     "newton",     "nobel",      "noether",   "ohm",      "pascal",
	"pasteur",  "pauli",      "perlman",    "planck",    "poincare", "ramanujan",
	"riemann",  "ritchie",    "rutherford", "sagan",     "seki",     "shannon",
	"takakazu", "tesla",      "thompson",   "torvalds",  "turing",   "volta",
	"watt",     "wiles",      "wozniak",    "yukawa",
};

int name_check(const char *name, struct err *err)
{
	size_t i, len = strlen(name);
	bool ok = len >= 2 && len <= NAME_MAX_LEN && isalnum((unsigned char)name[0]);

	for (i = 1; ok && i < len; i++)
		ok = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (ok)
		return 0;
	return err_fail(
	    err, ERR_INVALID,
	    "invalid container name (%.140s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, "
	    "2 to %d of them",
	    name, NAME_MAX_LEN);
}

char *name_random(unsigned int attempt)
{
	uint32_t r[3];
	const char *a, *s;

	/* A name is no secret: when there is no entropy yet, the clock will do. */
	if (getrandom(r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r)) {
		uint64_t t = (uint64_t)time_monotonic_ns();

		r[0] = (uint32_t)t;
		r[1] = (uint32_t)(t >> 7);
		r[2] = (uint32_t)(t >> 13);
	}
	a = adjectives[r[0] % ARRAY_SIZE(adjectives)];
	s = surnames[r[1] % ARRAY_SIZE(surnames)];
	if (attempt < 4)
		return xasprintf("%s_%s", a, s);
	return xasprintf("%s_%s%u", a, s, r[2] % (attempt < 8 ? 10u : 1000000u));
}
