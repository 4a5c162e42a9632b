import { StorageError } from "./errors.js";

/** When every object was written. */
const WRITTEN = "2026-01-01T00:00:00Z";

const noObject = () => new StorageError("not_found", "Object not found");

/** The objects of a mocked host: what a test put there, and what the tool wrote. */
export class MockObjects {
  /** Thrown by every operation, where a test says so. */
  failure;

  /** By bucket and name. */
  #all = new Map();

  put(bucket, name, content, contentType) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : Uint8Array.from(content);
    this.#all.set(JSON.stringify([bucket, name]), { bucket, name, bytes, contentType });
  }

  get(bucket, name) {
    const found = this.#all.get(JSON.stringify([bucket, name]));
    return found && { bytes: found.bytes, contentType: found.contentType };
  }

  /** The host's functions on them. */
  host() {
    return {
      listObjects: (...given) => this.#checked(() => this.#list(...given)),
      readObject: (...given) => this.#checked(() => this.#read(...given)),
      writeObject: (...given) => this.#checked(() => this.#write(...given)),
      removeObject: (...given) => this.#checked(() => this.#remove(...given)),
      signedUrl: (...given) => this.#checked(() => this.#sign(...given)),
    };
  }

  #checked(work) {
    if (this.failure !== undefined) throw this.failure;
    return work();
  }

  #found(bucket, name) {
    const found = this.get(bucket, name);
    if (found === undefined) throw noObject();
    return found;
  }

  #list(bucket, prefix, limit, cursor) {
    const all = [...this.#all.values()].filter((one) => one.bucket === bucket && one.name.startsWith(prefix));
    const sorted = all.sort((a, b) => (a.name < b.name ? -1 : 1)).filter((one) => cursor === null || one.name > cursor);
    const objects = sorted.slice(0, limit).map(({ name, bytes, contentType }) => {
      return { name, size: bytes.length, contentType, updatedAt: WRITTEN };
    });
    return { objects, next: sorted.length > limit ? objects.at(-1).name : null };
  }

  #read(bucket, name, maxBytes) {
    const found = this.#found(bucket, name);
    if (found.bytes.length > maxBytes) throw new StorageError("too_large", "The object is larger than the call reads.");
    return found;
  }

  #write(bucket, name, bytes, contentType, upsert) {
    if (!upsert && this.get(bucket, name) !== undefined) {
      throw new StorageError("exists", "The resource already exists");
    }
    this.put(bucket, name, bytes, contentType);
  }

  #remove(bucket, name) {
    this.#found(bucket, name);
    this.#all.delete(JSON.stringify([bucket, name]));
  }

  #sign(bucket, name, expiresIn) {
    this.#found(bucket, name);
    return `https://files.test/${bucket}/${name}?seconds=${expiresIn}`;
  }
}
