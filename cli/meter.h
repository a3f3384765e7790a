/* meter -- the progress bar on a terminal: files, bytes, rows/s and the time left. Nothing under cron. */
#pragma once
#include "loader/stream.h"

struct meter;
struct meter *meter_start(struct stream *stream, const char *name); /* NULL where standard error is no terminal. */
void meter_stop(struct meter *meter); /* Clears the line; NULL is allowed. */
