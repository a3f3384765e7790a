/* staging_test -- what publishing finds in place of what was staged, on file systems of every kind. */
#include "fixture.h"
#include "disturbed.h"
#include "sinks/staging.h"

struct scene { struct world *world; const char *root; struct manifest_file file; struct manifest manifest; };

static const char *in_root(const struct scene *scene, const char *name) { return path_join(scene->world->arena, scene->root, name); }

static void put(const struct scene *scene, const char *name, const char *text)
{
    assert_true(file_replace(in_root(scene, name), slice_text(text), &scene->world->err));
}

/* One staged file of five bytes, "out/f". */
static struct scene scene_new(void)
{
    struct scene scene = {.world = world_new("a INT")};
    scene.root = scene.world->spec.path;
    scene.file = (struct manifest_file){.staged = "_inlet/q/0.staged", .final_name = "d/f", .size = 5, .rows = 1, .detail = ""};
    assert_true(directories_make(in_root(&scene, "_inlet/q"), &scene.world->err));
    put(&scene, scene.file.staged, "12345");
    error_clear(&scene.world->err);
    return scene;
}

static bool rename_staged(struct scene *scene)
{
    scene->manifest = (struct manifest){.files = &scene->file, .count = 1, .rows = 1, .detail = ""};
    error_clear(&scene->world->err);
    return staging_rename(scene->root, &scene->manifest, false, &scene->world->err);
}

static void a_name_is_given_once_and_found_again(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    assert_true(rename_staged(&scene));
    assert_true(rename_staged(&scene)); /* It stands in its place. */
    put(&scene, "_inlet/q/0.staged", "12345");
    assert_true(rename_staged(&scene)); /* Of both, one goes. */
    assert_string_equal(list_files(scene.world, scene.root), "d/f\n");
    assert_true(directory_remove_tree(in_root(&scene, "_inlet"), &scene.world->err));
    put(&scene, "_inlet", "a file"); /* Where the folder was. */
    assert_true(rename_staged(&scene));
    world_free(scene.world);
}

static void what_is_not_the_staged_file_is_refused(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    put(&scene, "_inlet/q/0.staged", "123");
    assert_false(rename_staged(&scene));
    assert_int_equal(scene.world->err.condition, COND_INLET_DAMAGED_FILE);
    assert_int_equal(unlink(in_root(&scene, scene.file.staged)), 0);
    assert_int_equal(mkdir(in_root(&scene, scene.file.staged), 0755), 0);
    assert_false(rename_staged(&scene));
    assert_int_equal(scene.world->err.condition, COND_INLET_DAMAGED_FILE);
    assert_int_equal(rmdir(in_root(&scene, scene.file.staged)), 0);
    assert_false(rename_staged(&scene));
    assert_int_equal(scene.world->err.condition, COND_INLET_SINK_MISMATCH);
    put(&scene, "d/f", "123456"); /* Another's, in its place. */
    assert_false(rename_staged(&scene));
    assert_int_equal(scene.world->err.condition, COND_INLET_SINK_MISMATCH);
    assert_contains(scene.world->err.message, "does not stand in its place with 5 bytes");
    world_free(scene.world);
}

static void what_stands_in_the_files_place_is_never_replaced(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    assert_true(directories_make(in_root(&scene, "d"), &scene.world->err));
    put(&scene, "d/f", "123456");
    assert_false(rename_staged(&scene));
    assert_int_equal(scene.world->err.condition, COND_INLET_SINK_MISMATCH);
    assert_int_equal(unlink(in_root(&scene, "d/f")), 0);
    assert_int_equal(mkdir(in_root(&scene, "d/f"), 0755), 0);
    assert_false(rename_staged(&scene));
    assert_int_equal(scene.world->err.condition, COND_INLET_SINK_MISMATCH);
    assert_int_equal(rmdir(in_root(&scene, "d/f")), 0);
    assert_int_equal(symlink("nowhere", in_root(&scene, "d/f")), 0);
    assert_false(rename_staged(&scene));
    assert_int_equal(scene.world->err.condition, COND_INLET_SINK_MISMATCH);
    assert_int_equal(unlink(in_root(&scene, "d/f")), 0);
    assert_true(rename_staged(&scene));
    world_free(scene.world);
}

/* Where there is no rename that refuses to replace, a link does it; each call of that way fails once. */
static void file_systems_without_such_a_rename_get_a_link(void **state)
{
    (void)state;
    static const int codes[] = {ENOSYS, EINVAL};
    for (size_t i = 0; i < COUNTOF(codes); i++)
        for (int taken = 0; taken < 2; taken++) {
            struct scene scene = scene_new();
            if (taken) {
                assert_true(directories_make(in_root(&scene, "d"), &scene.world->err));
                put(&scene, "d/f", "12345");
            }
            fault_group = NAMES;
            fault.code = codes[i];
            fault.calls = fault.at = 0;
            bool ok = false;
            for (int broken = 3; broken >= 0 && !ok; broken--) { /* So many calls of names fail, one behind the other. */
                is_broken = stays_broken = broken > 0;
                failures_left = broken;
                fault.counts = true;
                ok = rename_staged(&scene);
                fault.counts = false;
                if (!ok) assert_true(error_is_set(&scene.world->err));
            }
            is_broken = stays_broken = false;
            fault_group = ANY;
            assert_true(ok);
            assert_string_equal(list_files(scene.world, scene.root), "d/f\n");
            world_free(scene.world);
        }
}

static void a_staging_folder_that_keeps_going_away_is_given_up(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    struct staging staging = {.folder = -1};
    fault.code = ENOENT;
    fault.calls = fault.at = 0;
    is_broken = true;
    failures_left = -1;
    fault.counts = true;
    bool ok = staging_begin(&staging, scene.root, QUERY_ID, true, &scene.world->err);
    fault.counts = is_broken = false;
    assert_false(ok);
    assert_true(error_is_set(&scene.world->err));
    staging_close(&staging);
    assert_true(staging_begin(&staging, scene.root, QUERY_ID, true, &scene.world->err));
    staging_close(&staging);
    world_free(scene.world);
}

static void many_files_in_few_folders_and_none_at_all(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    static const char *const names[] = {"f0", "b/f1", "a/f2", "b/f3", "f4", "a/f5", "ab/f6"};
    struct manifest_file files[COUNTOF(names)];
    struct manifest manifest = {.files = files, .count = COUNTOF(names)}, none = {0};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        files[i] = (struct manifest_file){.staged = arena_printf(scene.world->arena, "_inlet/q/%zu.staged", i), .final_name = names[i], .size = 1};
        put(&scene, files[i].staged, "x");
    }
    assert_true(staging_rename(scene.root, &manifest, true, &scene.world->err));
    assert_true(staging_sync_names(scene.root, &manifest, &scene.world->err));
    assert_true(staging_settle(scene.root, &manifest, &scene.world->err));
    assert_string_equal(list_files(scene.world, scene.root), "a/f2\na/f5\nab/f6\nb/f1\nb/f3\nf0\nf4\n");
    assert_true(staging_rename("/nowhere", &none, false, &scene.world->err) && staging_sync_names("/nowhere", &none, &scene.world->err) &&
                staging_settle("/nowhere", &none, &scene.world->err));
    staging_sweep("/nowhere", QUERY_ID);
    staging_tidy("/nowhere", QUERY_ID);
    world_free(scene.world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_given_once_and_found_again),
        cmocka_unit_test(what_is_not_the_staged_file_is_refused),
        cmocka_unit_test(what_stands_in_the_files_place_is_never_replaced),
        cmocka_unit_test(file_systems_without_such_a_rename_get_a_link),
        cmocka_unit_test(a_staging_folder_that_keeps_going_away_is_given_up),
        cmocka_unit_test(many_files_in_few_folders_and_none_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
