/* aside_test -- work beside the caller's is done once, whole, and by the time of the wait; without threads at once. */
#include "base/aside.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

struct work {
    int runs;
    pthread_t by;
    struct timespec pause;
};

static void run(void *user)
{
    struct work *work = user;
    nanosleep(&work->pause, NULL);
    work->by = pthread_self();
    work->runs++;
}

static void the_wait_sees_all_of_the_work(void **state)
{
    (void)state;
    struct aside *aside = aside_new(true);
    struct work work = {.pause = {.tv_nsec = 2000000}};
    aside_wait(aside); /* For nothing. */
    for (int i = 1; i <= 20; i++) {
        aside_start(aside, run, &work);
        aside_wait(aside);
        assert_int_equal(work.runs, i);
        assert_false(pthread_equal(work.by, pthread_self()));
    }
    aside_free(aside);
}

static void a_start_waits_for_the_work_before_and_the_end_for_the_last(void **state)
{
    (void)state;
    struct aside *aside = aside_new(true);
    struct work work = {.pause = {.tv_nsec = 1000000}};
    for (int i = 0; i < 20; i++) aside_start(aside, run, &work);
    aside_free(aside);
    assert_int_equal(work.runs, 20);
}

static void without_threads_the_work_is_done_at_once(void **state)
{
    (void)state;
    struct aside *aside = aside_new(false);
    struct work work = {.runs = 0};
    aside_start(aside, run, &work);
    assert_int_equal(work.runs, 1);
    assert_true(pthread_equal(work.by, pthread_self()));
    aside_wait(aside);
    aside_free(aside);
    aside_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_wait_sees_all_of_the_work), cmocka_unit_test(a_start_waits_for_the_work_before_and_the_end_for_the_last),
                                       cmocka_unit_test(without_threads_the_work_is_done_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
