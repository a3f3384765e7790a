/* json_fast -- the fast path; not built yet, every record goes the careful way. */
#include "formats/json_parser.h"
void ndjson_fast_init(struct ndjson_parser *parser) { parser->fast = NULL; }
void ndjson_fast_fini(struct ndjson_parser *parser) { (void)parser; }
