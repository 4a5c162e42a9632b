export { Content } from "./content.js";
export { commit, describe, execute, likeLiteral, query, queryOne, scope } from "./database.js";
export { DatabaseError, HttpError, KnowledgeError, KvError, MemoriesError, StorageError, ToolError } from "./errors.js";
export { search } from "./knowledge.js";
export * as kv from "./kv.js";
export * as memory from "./memory.js";
export * as storage from "./storage.js";
export { defineTool, exportTools } from "./tool.js";
export { json, vector } from "./values.js";
