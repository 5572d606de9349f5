import type { Writable } from "node:stream";

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** From the least to the most important. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly format: LogFormat;
  /** What is less important is dropped. */
  readonly level: LogLevel;
  readonly now?: () => Date;
}

/** The control plane's log: one line an event, `time level message` or an object with these fields. */
export function logTo(
  target: Writable,
  { format, level: least, now = () => new Date() }: LogOptions,
): (level: LogLevel, message: string) => void {
  return (level, message) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return;
    const time = now().toISOString();
    const line =
      format === "json" ? JSON.stringify({ time, level, message }) : `${time} ${level.padEnd(5)} ${message.replaceAll("\n", "\n  ")}`;
    target.write(`${line}\n`);
  };
}
