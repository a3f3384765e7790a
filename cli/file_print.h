/* file_print -- one file of the ledger as JSON, for `files` and `why`. */
#pragma once
#include "loader/ledger.h"

void put_file_json(struct buffer *out, const struct ledger_file *file); /* One object and a newline. */
