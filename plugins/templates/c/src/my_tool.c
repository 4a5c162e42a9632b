/* Finds notes of the caller. No statement here names a user: row-level security leaves only the rows of the person the
 * call is for, whoever that is. */
#include "my_tool.h"

#define DEFAULT_LIMIT 10
#define MOST_NOTES 100

static yyjson_mut_val *my_tool(yyjson_val *arguments) {
    const char *search = behalf_get_text(arguments, "search", "");
    /* The operator's setting `default_limit` comes before the tool's own. */
    int64_t limit = behalf_get_int(arguments, "limit", behalf_get_int(behalf_settings(), "default_limit", DEFAULT_LIMIT));
    if (limit < 1 || limit > MOST_NOTES) {
        return behalf_failed("The setting default_limit is %lld; it has to be from 1 to %d.", (long long)limit, MOST_NOTES);
    }
    behalf_progress(0, 1, "Searching notes");
    const char *pattern = behalf_format("%%%s%%", behalf_like_escape(search));
    /* One more than asked for tells whether there are more. */
    behalf_rows *rows = behalf_query("select id, title, created_at from public.notes"
                                     " where title ilike $1 or body ilike $1"
                                     " order by created_at desc, id limit $2",
                                     behalf_text(pattern), behalf_int(limit + 1));
    if (!rows) return NULL;

    size_t found = behalf_row_count(rows);
    bool truncated = rows->truncated || found > (size_t)limit;
    if (found > (size_t)limit) found = (size_t)limit;
    yyjson_mut_val *notes = behalf_array();
    for (size_t row = 0; row < found; row++) {
        yyjson_mut_val *note = behalf_object();
        behalf_put_text(note, "id", behalf_row_text(rows, row, "id"));
        behalf_put_text(note, "title", behalf_row_text(rows, row, "title"));
        behalf_put_text(note, "created_at", behalf_row_text(rows, row, "created_at"));
        behalf_add(notes, note);
    }
    behalf_log(BEHALF_DEBUG, "%zu notes found", found);
    behalf_progress(1, 1, "Done");

    yyjson_mut_val *result = behalf_object();
    behalf_put(result, "notes", notes);
    behalf_put_bool(result, "truncated", truncated);
    return result;
}

const behalf_tool behalf_tools[] = {
    {"my_tool", my_tool_definition, my_tool},
    {0},
};
