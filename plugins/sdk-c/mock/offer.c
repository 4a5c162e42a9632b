/* What a tool is besides a tool: an MCP resource or an MCP prompt, and what a host would refuse of it. */

static bool has_scheme(const char *uri) {
    size_t length = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    return *uri >= 'a' && *uri <= 'z' && uri[length] == ':';
}

static bool is_variable(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return *name && !name[length] && !(*name >= '0' && *name <= '9');
}

/* A schema of alternatives has its properties elsewhere, and is not followed here. */
static bool may_be_parameter(yyjson_val *schema, const char *name) {
    yyjson_val *properties = behalf_get(schema, "properties");
    return properties ? behalf_get(properties, name) != NULL : behalf_get_bool(schema, "additionalProperties", true);
}

static const char *uri_fault(const char *uri, yyjson_val *schema) {
    if (!has_scheme(uri)) return "has no scheme, as in notes://{id}";
    for (const char *at = uri + strcspn(uri, "{}"); *at; at += strcspn(at, "{}")) {
        size_t length = strcspn(at + 1, "{}");
        if (*at == '}' || at[1 + length] != '}') return "has a brace without its other one";
        const char *variable = behalf_copy(at + 1, length);
        if (!is_variable(variable)) return "has a variable that is not of a to z, 0 to 9 and _, or begins with a digit";
        if (!may_be_parameter(schema, variable)) {
            return behalf_format("has the variable \"%s\", which is no parameter of the tool", variable);
        }
        at += length + 2;
    }
    return NULL;
}

/* The end of a sentence that begins with the tool; NULL where all is well. */
static const char *offer_fault(yyjson_val *definition) {
    yyjson_val *resource = behalf_get(definition, "resource"), *prompt = behalf_get(definition, "prompt");
    if (prompt && !yyjson_is_bool(prompt)) return "has a prompt that is neither true nor false";
    bool is_prompt = yyjson_get_bool(prompt);
    if (!resource && !is_prompt) return NULL;
    if (resource && is_prompt) return "is a resource and a prompt: it can be one of them";
    if (!behalf_get_bool(behalf_get(definition, "annotations"), "readOnlyHint", false)) {
        return "may write: a resource or a prompt says \"readOnlyHint\": true";
    }
    if (is_prompt) return NULL;
    const char *uri = behalf_get_text(resource, "uri", NULL);
    if (!uri) return "is a resource without a uri";
    const char *fault = uri_fault(uri, behalf_get(definition, "inputSchema"));
    if (fault) return behalf_format("is the resource \"%s\", which %s", uri, fault);
    yyjson_val *type = behalf_get(resource, "mimeType");
    if (type && !behalf_is_media_type(yyjson_is_str(type) ? yyjson_get_str(type) : "")) {
        return "is a resource whose mimeType is not a media type, as in text/markdown";
    }
    return NULL;
}
