/* Rows: what comes from the database. */
#include "internal.h"

size_t behalf_row_count(const behalf_rows *rows) {
    return rows->rows.len;
}

static const behalf_value *value_at(const behalf_rows *rows, size_t row, size_t column) {
    if (row >= rows->rows.len) behalf_bug("row %zu is read of %zu", row, rows->rows.len);
    return &rows->rows.ptr[row].ptr[column];
}

static size_t find_column(const behalf_rows *rows, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < rows->columns.len; i++) {
        tool_plugin_string_t column = rows->columns.ptr[i].name;
        if (column.len == length && memcmp(behalf_incoming(column), name, length) == 0) return i;
    }
    behalf_bug("the statement has no column \"%s\"", name);
}

const behalf_value *behalf_row_value(const behalf_rows *rows, size_t row, const char *column) {
    return value_at(rows, row, find_column(rows, column));
}

/* The value if it has this type, NULL if it is SQL NULL. */
static const behalf_value *typed(const behalf_rows *rows, size_t row, const char *column, uint8_t tag, const char *as) {
    size_t index = find_column(rows, column);
    const behalf_value *value = value_at(rows, row, index);
    if (value->tag == BEHALF_TOOL_DATABASE_VALUE_NULL) return NULL;
    if (value->tag != tag) {
        const char *type = behalf_incoming(rows->columns.ptr[index].type_name);
        behalf_bug("the column \"%s\" is of type %s, not %s; cast it in the statement or read it as what it is", column, type, as);
    }
    return value;
}

const char *behalf_row_text(const behalf_rows *rows, size_t row, const char *column) {
    const behalf_value *value = typed(rows, row, column, BEHALF_TOOL_DATABASE_VALUE_TEXT, "a text");
    return value ? behalf_incoming(value->val.text) : NULL;
}

int64_t behalf_row_int(const behalf_rows *rows, size_t row, const char *column, int64_t otherwise) {
    const behalf_value *value = typed(rows, row, column, BEHALF_TOOL_DATABASE_VALUE_INTEGER, "an integer");
    return value ? value->val.integer : otherwise;
}

double behalf_row_real(const behalf_rows *rows, size_t row, const char *column, double otherwise) {
    const behalf_value *value = typed(rows, row, column, BEHALF_TOOL_DATABASE_VALUE_FLOAT, "a double precision");
    return value ? value->val.float_ : otherwise;
}

bool behalf_row_bool(const behalf_rows *rows, size_t row, const char *column, bool otherwise) {
    const behalf_value *value = typed(rows, row, column, BEHALF_TOOL_DATABASE_VALUE_BOOLEAN, "a boolean");
    return value ? value->val.boolean : otherwise;
}

bool behalf_row_is_null(const behalf_rows *rows, size_t row, const char *column) {
    return behalf_row_value(rows, row, column)->tag == BEHALF_TOOL_DATABASE_VALUE_NULL;
}

static yyjson_mut_val *hexadecimal(tool_plugin_list_u8_t bytes) {
    static const char digits[] = "0123456789abcdef";
    char *text = behalf_take(2 + 2 * bytes.len, 1);
    memcpy(text, "\\x", 2);
    for (size_t i = 0; i < bytes.len; i++) {
        text[2 + 2 * i] = digits[bytes.ptr[i] >> 4];
        text[3 + 2 * i] = digits[bytes.ptr[i] & 15];
    }
    return yyjson_mut_strn(behalf_document(), text, 2 + 2 * bytes.len);
}

static yyjson_mut_val *real(double number) {
    yyjson_mut_doc *document = behalf_document();
    if (number != number) return yyjson_mut_str(document, "NaN");
    if (number - number != 0) return yyjson_mut_str(document, number > 0 ? "Infinity" : "-Infinity");
    return yyjson_mut_real(document, number);
}

/* Whether a number in a JSON text is long enough, or large or small enough, that a double could round it. */
static bool has_long_number(const char *json, size_t bytes) {
    const size_t kept = 15; /* DBL_DIG */
    bool quoted = false;
    size_t length = 0;
    for (size_t i = 0; i < bytes; i++) {
        char sign = json[i];
        if (quoted) {
            if (sign == '\\') i++;
            else if (sign == '"') quoted = false;
            continue;
        }
        if (sign == '"') quoted = true;
        bool power = length > 0 && (sign == 'e' || sign == 'E');
        bool part = (sign >= '0' && sign <= '9') || sign == '-' || sign == '+' || sign == '.';
        length = part ? length + 1 : 0;
        if (power || length > kept) return true;
    }
    return false;
}

/* json and arrays become what they say, to the last digit; what is none after all stays text. */
static yyjson_mut_val *text_as_json(tool_plugin_string_t type, tool_plugin_string_t text) {
    const char *name = behalf_incoming(type), *content = behalf_incoming(text);
    yyjson_mut_doc *document = behalf_document();
    if (strcmp(name, "json") == 0 || strcmp(name, "jsonb") == 0 || name[0] == '_') {
        yyjson_read_flag flag = has_long_number(content, text.len) ? YYJSON_READ_NUMBER_AS_RAW : YYJSON_READ_NOFLAG;
        yyjson_doc *read = yyjson_read_opts((char *)content, text.len, flag, &behalf_arena, NULL);
        if (read) return yyjson_val_mut_copy(document, yyjson_doc_get_root(read));
    }
    return yyjson_mut_strn(document, content, text.len);
}

static yyjson_mut_val *as_json(const behalf_value *value, tool_plugin_string_t type) {
    yyjson_mut_doc *document = behalf_document();
    switch (value->tag) {
        case BEHALF_TOOL_DATABASE_VALUE_BOOLEAN: return yyjson_mut_bool(document, value->val.boolean);
        case BEHALF_TOOL_DATABASE_VALUE_INTEGER: return yyjson_mut_sint(document, value->val.integer);
        case BEHALF_TOOL_DATABASE_VALUE_FLOAT: return real(value->val.float_);
        case BEHALF_TOOL_DATABASE_VALUE_TEXT: return text_as_json(type, value->val.text);
        case BEHALF_TOOL_DATABASE_VALUE_BYTES: return hexadecimal(value->val.bytes);
        case BEHALF_TOOL_DATABASE_VALUE_VECTOR: {
            yyjson_mut_val *array = behalf_array();
            for (size_t i = 0; i < value->val.vector.len; i++) behalf_add(array, real(value->val.vector.ptr[i]));
            return array;
        }
        default: return yyjson_mut_null(document);
    }
}

static yyjson_mut_val *cell(const behalf_rows *rows, size_t row, size_t column) {
    return as_json(value_at(rows, row, column), rows->columns.ptr[column].type_name);
}

yyjson_mut_val *behalf_row_json(const behalf_rows *rows, size_t row, const char *column) {
    return cell(rows, row, find_column(rows, column));
}

yyjson_mut_val *behalf_row_object(const behalf_rows *rows, size_t row) {
    yyjson_mut_val *object = behalf_object();
    for (size_t i = 0; i < rows->columns.len; i++) {
        behalf_put(object, behalf_incoming(rows->columns.ptr[i].name), cell(rows, row, i));
    }
    return object;
}

yyjson_mut_val *behalf_rows_array(const behalf_rows *rows) {
    yyjson_mut_val *array = behalf_array();
    for (size_t row = 0; row < rows->rows.len; row++) behalf_add(array, behalf_row_object(rows, row));
    return array;
}
