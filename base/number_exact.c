/* number_exact -- the slow, always correct last step of reading a floating-point number.
 *
 * Eisel-Lemire decides every text of up to 19 significant digits. Behind that the truncated digits may
 * leave two neighbours possible; then the decimal is compared exactly with the midpoint between
 * them, in integers of a few thousand bits on the stack. No midpoint of a double has more than 767
 * significant digits, so that behind DIGITS_MAX only "something not zero follows" counts. */
#include "base/number_internal.h"
#include "base/panic.h"

enum { DIGITS_MAX = 800, LIMBS_MAX = 136 };

struct big {
    unsigned size;               /* Limbs in use; the top one is not zero. */
    uint64_t limbs[LIMBS_MAX];   /* Least significant first. */
};

static void big_multiply_add(struct big *big, uint64_t factor, uint64_t addend)
{
    uint64_t carry = addend;
    for (unsigned i = 0; i < big->size; i++) {
        uint128 product = (uint128)big->limbs[i] * factor + carry;
        big->limbs[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry) {
        invariant(big->size < LIMBS_MAX);
        big->limbs[big->size++] = carry;
    }
}

static void big_multiply_power_of_five(struct big *big, int64_t exponent)
{
    const uint64_t five_27 = 7450580596923828125u;
    for (; exponent >= 27; exponent -= 27)
        big_multiply_add(big, five_27, 0);
    for (; exponent > 0; exponent--)
        big_multiply_add(big, 5, 0);
}

static void big_shift_left(struct big *big, int64_t bits)
{
    if (big->size == 0 || bits <= 0)
        return;
    unsigned limbs = (unsigned)(bits / 64), rest = (unsigned)(bits % 64);
    invariant(big->size + limbs + 1 <= LIMBS_MAX);
    big->limbs[big->size] = 0;
    for (unsigned i = big->size + 1; i-- > 0;) {
        uint64_t below = i > 0 && rest ? big->limbs[i - 1] >> (64 - rest) : 0;
        big->limbs[i + limbs] = big->limbs[i] << rest | below;
    }
    for (unsigned i = 0; i < limbs; i++)
        big->limbs[i] = 0;
    big->size += limbs + 1;
    if (big->limbs[big->size - 1] == 0)
        big->size--;
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    for (unsigned i = a->size; i-- > 0;) {
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    }
    return 0;
}

/* The significant digits as an integer, and the power of ten that goes with it. */
static int64_t decimal_load(const struct decimal_parts *parts, struct big *out)
{
    int64_t taken = 0, exponent = parts->exponent;
    bool sticky = false;
    out->size = 0;
    for (size_t i = 0; i < parts->digits_size; i++) {
        unsigned digit = (unsigned)(parts->digits[i] - '0');
        if (digit > 9 || (taken == 0 && digit == 0))
            continue; /* The point; leading zeros. */
        if (taken < DIGITS_MAX)
            big_multiply_add(out, 10, digit);
        else
            sticky |= digit != 0;
        taken++;
    }
    /* parts->exponent belongs to the first 19 digits; each further one that was taken lowers it. */
    int64_t kept = taken < DIGITS_MAX ? taken : DIGITS_MAX;
    exponent -= kept - 19;
    if (sticky) {
        big_multiply_add(out, 10, 1);
        exponent--;
    }
    return exponent;
}

/* Sign of: the decimal minus mantissa * 2^exponent. */
static int decimal_compare(const struct decimal_parts *parts, uint64_t mantissa, int64_t exponent)
{
    struct big left, right = {.size = 1, .limbs = {mantissa}};
    int64_t ten = decimal_load(parts, &left), left_shift = 0, right_shift = exponent;
    if (ten >= 0) {
        big_multiply_power_of_five(&left, ten);
        left_shift = ten;
    } else {
        big_multiply_power_of_five(&right, -ten);
        right_shift -= ten;
    }
    if (left_shift >= right_shift)
        big_shift_left(&left, left_shift - right_shift);
    else
        big_shift_left(&right, right_shift - left_shift);
    return big_compare(&left, &right);
}

/* Compares with the midpoint between the value of `bits` and the next larger one. */
static int compare_midpoint(const struct decimal_parts *parts, uint64_t bits, int mantissa_bits)
{
    int bias = mantissa_bits == 52 ? 1075 : 150;
    uint64_t mantissa = bits & (((uint64_t)1 << mantissa_bits) - 1);
    int64_t exponent = (int64_t)(bits >> mantissa_bits);
    if (exponent)
        mantissa |= (uint64_t)1 << mantissa_bits;
    else
        exponent = 1;
    return decimal_compare(parts, 2 * mantissa + 1, exponent - bias - 1);
}

uint64_t number_round_exactly(const struct decimal_parts *parts, uint64_t guess, int mantissa_bits)
{
    uint64_t infinity = mantissa_bits == 52 ? (uint64_t)0x7FF << 52 : (uint64_t)0xFF << 23;
    uint64_t bits = guess > infinity - 1 ? infinity - 1 : guess;
    for (;;) {
        int order = bits < infinity ? compare_midpoint(parts, bits, mantissa_bits) : -1;
        if (order > 0 || (order == 0 && (bits & 1))) {
            bits++;
            continue;
        }
        if (bits == 0)
            return bits;
        order = compare_midpoint(parts, bits - 1, mantissa_bits);
        if (order > 0 || (order == 0 && !(bits & 1)))
            return bits;
        bits--;
    }
}
