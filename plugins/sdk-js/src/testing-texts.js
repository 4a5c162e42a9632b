import { KnowledgeError, MemoriesError } from "./errors.js";

/** When every memory was kept. */
const KEPT = "2026-01-01T00:00:00Z";

/** Passages of an answer where the tool does not say how many. */
const TOP_K = 5;

const words = (text) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);

/** The share of the question's words that a text has. */
function likeness(question, text) {
  const [asked, has] = [words(question), words(text)];
  return [...asked].filter((word) => has.has(word)).length / Math.max(asked.size, 1);
}

const byScore = (a, b) => b.score - a.score;

/** The documents of a mocked host: each belongs to one user. */
export class MockDocuments {
  /** Thrown by every search, where a test says so. */
  failure;

  #all = [];

  put(user, knowledgeBase, name, text) {
    this.#all.push({ user, knowledgeBase, name, text });
  }

  /** What a user finds; undefined where no document was ever put. */
  search(user, text, options) {
    if (this.failure !== undefined) throw this.failure;
    if (this.#all.length === 0) return undefined;
    const { knowledge_bases: asked, top_k: most = TOP_K, threshold = 0 } = JSON.parse(options);
    const mine = [...this.#all.entries()].filter(([, one]) => one.user === user);
    const missing = asked?.find((name) => !mine.some(([, one]) => one.knowledgeBase === name));
    if (missing !== undefined) throw new KnowledgeError("not_granted", `this call has no knowledge base "${missing}"`);
    return mine
      .filter(([, one]) => asked === undefined || asked.includes(one.knowledgeBase))
      .map(([place, one]) => ({
        chunk: id(8, place),
        source: id(9, place),
        text: one.text,
        score: likeness(text, one.text),
        meta: { source_name: one.name, knowledge_base_id: one.knowledgeBase },
      }))
      .filter(({ score }) => score >= threshold)
      .sort(byScore)
      .slice(0, most);
  }
}

/** What agents of a mocked host remember of their users. */
export class MockMemories {
  /** Thrown by every operation, where a test says so. */
  failure;

  /** The oldest first. */
  #all = [];
  #kept = 0;

  put(user, text, meta = "{}") {
    const kept = id(8, this.#kept++);
    this.#all.push({ user, entry: { id: kept, text, score: 0, meta, createdAt: KEPT } });
    return kept;
  }

  texts(user) {
    return this.#of(user).map(({ text }) => text);
  }

  /** The host's functions on those of a user. */
  host(user) {
    return {
      remember: (text, meta) => this.#checked(user, () => this.put(user, text, meta)),
      recall: (query, topK) => this.#checked(user, () => this.#recall(user, query, topK)),
      forget: (wanted) => this.#checked(user, () => this.#forget(user, wanted)),
    };
  }

  #checked(user, work) {
    if (this.failure !== undefined) throw this.failure;
    if (user === null) throw new MemoriesError("denied", "only a user has memories, and this call is made for no user");
    return work();
  }

  #of(user) {
    return this.#all.filter((one) => one.user === user).map(({ entry }) => entry).reverse();
  }

  #recall(user, query, topK) {
    const scored = this.#of(user).map((one) => ({ ...one, score: likeness(query, one.text) }));
    return scored.sort(byScore).slice(0, topK);
  }

  #forget(user, wanted) {
    const before = this.#all.length;
    this.#all = this.#all.filter((one) => one.user !== user || one.entry.id !== wanted);
    return this.#all.length < before;
  }
}

const id = (kind, place) => `00000000-0000-4000-${kind}000-${String(place + 1).padStart(12, "0")}`;
