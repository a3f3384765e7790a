/* roots -- the folder in which a load path begins: its part without wildcards. */
#pragma once
#include "listing/partitions.h"
#include "loader/pipeline.h"

/* Longest folder of `load` without glob characters, no trailing slash; of a load path that is one file, its folder. */
const char *load_root(struct arena *arena, const char *load);
/* How key=value folders of this reader become columns. */
struct partition_rules load_partition_rules(struct arena *arena, const struct pipeline *pipeline);
/* Spark's rules of `basePath`: a folder that exists, at or above each load path. What a wildcard leads out of it is found per file. */
bool load_base_check(const struct pipeline_reader *reader, struct error *err) MUST_CHECK;
