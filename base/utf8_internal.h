/* utf8_internal -- the variants of UTF-8 validation, for the test that compares them. */
#pragma once
#include "base/attr.h"

enum utf8_variant { UTF8_SCALAR, UTF8_SSSE3, UTF8_AVX2 };

/* False: this processor does not have the variant. */
bool utf8_valid_with(enum utf8_variant variant, const uint8_t *text, size_t size, bool *valid);
