import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** `pid command line` of every process but this one whose command line or environment mentions `text`. */
export function processesWith(text: string): string[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ");
      return line.includes(text) || readFileSync(`/proc/${entry}/environ`, "utf8").includes(text) ? [`${entry} ${line}`] : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** Resolves as soon as it holds; rejects after 20 s with `what` should have come true. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`it never came true that ${what}`);
    await pause(20);
  }
}
