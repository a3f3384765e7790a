/* manifest -- the sink's manifest as text for the ledger, and back. */
#pragma once
#include "sinks/sink.h"

/* Compact JSON: {"rows":..,"bytes":..,"detail":"..","files":[{"s":..,"f":..,"b":..,"r":..,"m":..,"d":..}]}. */
void manifest_print(const struct manifest *manifest, struct buffer *out);
bool manifest_parse(struct arena *arena, struct slice text, struct manifest *out, struct error *err) MUST_CHECK;
