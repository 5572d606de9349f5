import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Writes a file with mode 0600 that appears whole or not at all. `staging` is the folder in which it is written first, on the same disk. */
export async function replaceFile(path: string, content: string, staging = dirname(path)): Promise<void> {
  const written = join(staging, `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  const file = await open(written, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
    await file.close();
    await rename(written, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(written, { force: true });
    throw error;
  }
}
