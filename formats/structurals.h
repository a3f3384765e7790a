/* structurals -- finding the bytes that give a text its structure, a vector at a time.
 *
 * The scalar version of each scanner is its specification; the AVX2 and AVX-512 ones give the same
 * answers. What runs is chosen once per scan: the best that the processor has, or what the environment
 * variable INLET_ISA (scalar, avx2, avx512) asks for, never more than there is. */
#pragma once
#include "base/attr.h"

enum isa { ISA_SCALAR, ISA_AVX2, ISA_AVX512 };

enum isa isa_choose(void);
const char *isa_name(enum isa isa);

/* Position of the first \n or \r in text[from, size), or size. May load (not use) up to 64 bytes behind size. */
typedef size_t (*line_end_fn)(const uint8_t *text, size_t from, size_t size);
line_end_fn line_end_scanner(enum isa isa);

/* Position of the first `"`, `\` or byte below 0x20 in text[from, size), or size: where a plain run of a JSON string ends. Loads as above. */
typedef size_t (*string_end_fn)(const uint8_t *text, size_t from, size_t size);
string_end_fn string_end_scanner(enum isa isa);
