/* Finds merchants of the caller's expenses that probably are one. No statement here names a user: row-level security
 * leaves only the rows of the person the call is for, whoever that is. */
#include "merchant_duplicates.h"

#include <stdlib.h>

#include "similarity.h"

/* Every merchant is compared with every other, so their number is what the work grows with. */
#define MOST_MERCHANTS 400

/* Cells of edit distance tables; some hundred milliseconds where names are long and nothing is alike. */
#define MOST_STEPS 40000000

/* How often progress is reported, in merchants. */
#define REPORT_EVERY 50

static const char MERCHANTS[] = "select merchant, count(*) as expenses, max(spent_on)::text as last_used"
                                " from public.expenses"
                                " group by merchant order by count(*) desc, merchant limit $1";

typedef struct {
    const char *name;
    const char *last_used;
    int64_t expenses;
    folded_name folded;
    /* The merchant that stands for its group: itself, or one before it. */
    size_t group;
    size_t group_size;
    /* Of the least alike pair in the group, where this stands for it. */
    double similarity;
} merchant;

static size_t group_of(const merchant *all, size_t index) {
    while (all[index].group != index) index = all[index].group;
    return index;
}

static void join(merchant *all, size_t a, size_t b, double alike) {
    size_t first = group_of(all, a), second = group_of(all, b);
    /* The more used one stands for both; rows come in that order. */
    size_t stands = first < second ? first : second, joins = first < second ? second : first;
    if (all[stands].similarity > alike) all[stands].similarity = alike;
    if (stands == joins) return;
    if (all[stands].similarity > all[joins].similarity) all[stands].similarity = all[joins].similarity;
    all[joins].group = stands;
    all[stands].group_size += all[joins].group_size;
}

/* Puts merchants that are alike into groups. False if there were too many steps. */
static bool find_groups(merchant *all, size_t count, double least) {
    uint64_t steps = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % REPORT_EVERY == 0) behalf_progress(i, count, "Comparing merchants");
        for (size_t j = i + 1; j < count; j++) {
            double alike = similarity(&all[i].folded, &all[j].folded, least, &steps);
            if (alike >= least) join(all, i, j, alike);
        }
        if (steps > MOST_STEPS) return false;
    }
    return true;
}

static int most_alike_first(const void *left, const void *right) {
    const merchant *a = *(merchant *const *)left, *b = *(merchant *const *)right;
    if (a->similarity != b->similarity) return a->similarity < b->similarity ? 1 : -1;
    return a < b ? -1 : a > b;
}

static yyjson_mut_val *describe_group(const merchant *all, size_t count, const merchant *stands) {
    yyjson_mut_val *merchants = behalf_array();
    for (size_t i = 0; i < count; i++) {
        if (&all[group_of(all, i)] != stands) continue;
        yyjson_mut_val *one = behalf_object();
        behalf_put_text(one, "name", all[i].name);
        behalf_put_int(one, "expenses", all[i].expenses);
        behalf_put_text(one, "last_used", all[i].last_used);
        behalf_add(merchants, one);
    }
    yyjson_mut_val *group = behalf_object();
    behalf_put_real(group, "similarity", (double)(int64_t)(stands->similarity * 100 + 0.5) / 100);
    behalf_put(group, "merchants", merchants);
    return group;
}

static yyjson_mut_val *merchant_duplicates(yyjson_val *arguments) {
    double least = behalf_get_real(arguments, "min_similarity", 0.8);
    size_t limit = (size_t)behalf_get_int(arguments, "limit", 20);

    behalf_rows *rows = behalf_query(MERCHANTS, behalf_int(MOST_MERCHANTS + 1));
    if (!rows) return NULL;
    size_t count = behalf_row_count(rows);
    bool truncated = rows->truncated || count > MOST_MERCHANTS;
    if (count > MOST_MERCHANTS) count = MOST_MERCHANTS;

    merchant *all = behalf_alloc(count * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        all[i] = (merchant){
            .name = behalf_row_text(rows, i, "merchant"),
            .last_used = behalf_row_text(rows, i, "last_used"),
            .expenses = behalf_row_int(rows, i, "expenses", 0),
            .group = i,
            .group_size = 1,
            .similarity = 1,
        };
        fold_name(all[i].name, &all[i].folded);
    }
    if (!find_groups(all, count, least)) {
        behalf_log(BEHALF_WARN, "%zu merchants with long names are too many to compare all", count);
        truncated = true;
    }

    merchant **groups = behalf_alloc(count * sizeof *groups);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i].group == i && all[i].group_size > 1) groups[found++] = &all[i];
    }
    qsort(groups, found, sizeof *groups, most_alike_first);
    behalf_progress(count, count, "Done");

    yyjson_mut_val *list = behalf_array();
    for (size_t i = 0; i < found && i < limit; i++) behalf_add(list, describe_group(all, count, groups[i]));
    yyjson_mut_val *result = behalf_object();
    behalf_put(result, "groups", list);
    behalf_put_int(result, "merchants_compared", (int64_t)count);
    behalf_put_bool(result, "truncated", truncated || found > limit);
    return result;
}

const behalf_tool behalf_tools[] = {
    {"merchant_duplicates", merchant_duplicates_definition, merchant_duplicates},
    {0},
};
