/* codecs_words -- snappy's elements for pages of 8-byte numbers, sought where such numbers repeat.
 *
 * Numbers of 8 bytes are alike in some of their bytes: the high ones of small integers and of times, the low ones of round
 * doubles. So one look in eight bytes, always at the same place of the word, finds nearly all that the library finds with
 * one at every byte, in a third of the time. What comes out is plain snappy. */
#pragma once
#include "base/bytes.h"

/* The place in the word (0 to 7, from the start of `bytes`) where looks find most, by a short sample. */
unsigned snappy_words_phase(struct slice bytes);
/* Appends the elements of all the bytes. */
void snappy_words_put(struct slice bytes, unsigned phase, struct buffer *out);
