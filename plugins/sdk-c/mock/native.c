/* Everything a test needs in one file: the SDK itself and the host that it is tested against. */
#include "../src/yyjson.c"

/* Files are the runner's again. */
#undef fopen
#undef fclose
#undef fread
#undef fwrite
#undef fseek
#undef ftell

/* A mistake ends the test, not all of them. */
_Noreturn void behalf_test_mistake(void);
#define BEHALF_END_CALL behalf_test_mistake

#include "../src/arena.c"
#include "../src/content.c"
#include "../src/database.c"
#include "../src/error.c"
#include "../src/http.c"
#include "../src/json.c"
#include "../src/kv.c"
#include "../src/rows.c"
#include "../src/storage.c"
#include "../src/surroundings.c"
#include "../src/text.c"
#include "../src/texts.c"
#include "../src/tool.c"

#include "behalf_mock.c"
#include "objects.c"
#include "servers.c"
#include "texts.c"
#include "kv.c"
#include "offer.c"
#include "runner.c"
