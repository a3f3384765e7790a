/* raw_text_test -- text that is no UTF-8 becomes text that is; nulls, empty texts and good ones stay. */
#include "columns/type.h"
#include "loader/raw_text.h"
#include "tests/unit/fixture.h"

static void put(struct column *column, const char *text)
{
    size_t row = column->length++, size = text ? strlen(text) : 0, at = (size_t)column->offsets[row];
    if (size) memcpy(column->data + at, text, size);
    column->offsets[row + 1] = (int32_t)(at + size);
    if (text) return;
    bit_clear(column->validity, row);
    column->null_count++;
}

static void fill(struct chunk *chunk, const char *const *texts, size_t count, struct budget *budget)
{
    chunk_init(chunk, schema_parse_ddl(arena, "a STRING, b STRING", &err));
    for (size_t i = 0; i < 2; i++) {
        struct column *column = &chunk->columns[i];
        assert_true(column_reserve(column, budget, count, &err));
        assert_true(column_reserve_data(column, budget, 256, &err));
        column->offsets[0] = 0;
        for (size_t row = 0; row < count; row++) put(column, texts[row]);
    }
    chunk->row_count = (uint32_t)count;
}

static void assert_text(const struct column *column, size_t row, const char *text)
{
    assert_int_equal(column->offsets[row + 1] - column->offsets[row], strlen(text));
    assert_memory_equal(column->data + column->offsets[row], text, strlen(text));
}

static void bad_parts_become_replacement_characters(void **state)
{
    (void)state;
    struct budget *budget = budget_new(0);
    struct chunk chunk;
    /* The halves of one character in two rows are each bad, though their bytes side by side are not. */
    static const char *const texts[] = {"ok", NULL, "", "\xFF", "a\xC3", "\xA9z", "\xC3\xA9"};
    fill(&chunk, texts, COUNTOF(texts), budget);
    static const uint32_t which[] = {1};
    assert_true(raw_text_repair(&chunk, which, 1, budget, &err));
    const struct column *kept = &chunk.columns[0], *mended = &chunk.columns[1];
    assert_text(kept, 3, "\xFF");
    static const char *const good[] = {"ok", "", "", "\uFFFD", "a\uFFFD", "\uFFFDz", "\u00E9"};
    for (size_t row = 0; row < COUNTOF(good); row++) assert_text(mended, row, good[row]);
    assert_int_equal(mended->length, COUNTOF(texts));
    assert_int_equal(mended->null_count, 1);
    assert_false(column_is_valid(mended, 1));
    assert_true(column_is_valid(mended, 2));
    assert_true(column_check(mended, &err));
    chunk_fini(&chunk);
    assert_int_equal(budget_used(budget), 0);
    budget_free(budget);
}

static void good_text_is_not_copied(void **state)
{
    (void)state;
    struct budget *budget = budget_new(0);
    struct chunk chunk;
    static const char *const texts[] = {"a", NULL, "\u00E9"};
    fill(&chunk, texts, COUNTOF(texts), budget);
    const uint8_t *data = chunk.columns[1].data;
    static const uint32_t which[] = {0, 1};
    assert_true(raw_text_repair(&chunk, which, 2, budget, &err));
    assert_true(chunk.columns[1].data == data);
    chunk_fini(&chunk);
    budget_free(budget);
}

static void a_spent_budget_is_an_error(void **state)
{
    (void)state;
    struct budget *wide = budget_new(0), *narrow = budget_new(1);
    struct chunk chunk;
    static const char *const texts[] = {"\xFF"};
    fill(&chunk, texts, 1, wide);
    static const uint32_t which[] = {0};
    assert_false(raw_text_repair(&chunk, which, 1, narrow, &err));
    assert_int_equal(err.condition, COND_INLET_NO_MEMORY);
    chunk_fini(&chunk);
    assert_int_equal(budget_used(wide), 0);
    budget_free(wide);
    budget_free(narrow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_parts_become_replacement_characters),
        cmocka_unit_test(good_text_is_not_copied),
        cmocka_unit_test(a_spent_budget_is_an_error),
    };
    return cmocka_run_group_tests_name("raw_text", tests, start, stop);
}
