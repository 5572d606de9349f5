import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";

/** Jest's view of a TypeScript file: what Node itself would run. Positions are kept, so stack traces need no source map. */
export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
  getCacheKey: (source, path) => createHash("sha256").update(process.version).update(path).update(source).digest("hex"),
};
