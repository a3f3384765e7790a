/* registry -- which store a path belongs to. */
#include "stores/store.h"

#include <ctype.h>
#include <strings.h>

static const struct store_ops *const stores[] = {&local_store};

/* Length of the scheme of a URL ("s3" of "s3://b/k", "file" of "file:/x"), 0 for a plain path. */
static size_t scheme_size(const char *path)
{
    size_t size = 0;
    if (!isalpha((unsigned char)path[0])) return 0;
    while (isalnum((unsigned char)path[size]) || path[size] == '+' || path[size] == '-' || path[size] == '.') size++;
    return path[size] == ':' && path[size + 1] == '/' ? size : 0;
}

const struct store_ops *store_find(const char *path, struct error *err)
{
    size_t size = scheme_size(path);
    if (size == 0) return &local_store;
    for (size_t i = 0; i < COUNTOF(stores); i++) {
        const char *scheme = stores[i]->scheme;
        if (strlen(scheme) == size && strncasecmp(scheme, path, size) == 0) return stores[i];
    }
    error_set(err, COND_INLET_NOT_SUPPORTED_YET, "cannot use \"%s\": the store \"%.*s\" is not supported yet", path, (int)size, path);
    error_hint(err, "Only local paths are supported for now.");
    return NULL;
}
