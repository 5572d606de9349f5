import type { LocatedViolation } from "./files/located-violation.ts";

/**
 * Logs what is wrong in the folder, each problem when it first appears, and says when all are mended. To be called with
 * all problems whenever they are others than before.
 */
export function problemReport(
  log: (level: "info" | "warn" | "error", message: string) => void,
): (problems: readonly LocatedViolation[]) => void {
  let known = new Set<string>();
  return (problems) => {
    const now = new Set<string>();
    for (const { file, line, path, reason, message, severity } of problems) {
      const text = `${file}:${line}: ${path === "" ? "" : `${path}: `}${reason}: ${message}`;
      now.add(text);
      if (!known.has(text)) log(severity === "error" ? "error" : "warn", text);
    }
    if (known.size > 0 && now.size === 0) log("info", "every mistake in the folder is mended");
    known = now;
  };
}
