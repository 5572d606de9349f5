import { readdirSync, readFileSync } from "node:fs";

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
