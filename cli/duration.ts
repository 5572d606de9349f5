import { InvalidArgumentError } from "commander";
import { parseDuration } from "../crds/core/duration.ts";

/** A commander option's reader for a GEP-2257 duration (`24h`, `1h30m`, `500ms`); the result is in milliseconds. */
export function durationOption(text: string): number {
  const duration = parseDuration(text);
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
