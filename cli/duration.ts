import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Reads a duration as GEP-2257 writes it (`24h`, `1h30m`, `500ms`); undefined when it is none. The result is in milliseconds. */
export function readDuration(text: string): number | undefined {
  if (!/^(?:\d{1,5}(?:h|ms|m|s)){1,4}$/.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(h|ms|m|s)/g)) sum += Number(amount) * (UNITS[unit ?? ""] ?? 0);
  return sum;
}

/** A commander option's reader. */
export function durationOption(text: string): number {
  const duration = readDuration(text);
  if (duration === undefined) throw new InvalidArgumentError("write a duration such as 24h, 30m, 1h30m or 500ms.");
  return duration;
}

/** A span of milliseconds for people: its two largest units. */
export function describeDuration(milliseconds: number): string {
  const span = Math.abs(milliseconds);
  if (span < 1_000) return `${Math.round(span)} ms`;
  const seconds = Math.round(span / 1_000);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}
